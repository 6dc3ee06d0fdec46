// What a fixed document selects of events, without a viewer: for the workers of a node.

import { type GraphQLSchema, parse } from 'graphql'
import { serverKeyIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import { type ServerKeyScope, serverKeyScopes } from '../viewer.ts'
import { execute } from './engine.ts'
import { withClientErrors } from './errors.ts'
import type { EventSource } from './event.ts'
import { backendContext } from './viewerless-context.ts'

/** Gives the data of an event. @throws ParleyError UNAVAILABLE if it cannot be read now */
export type ReadEvent = (event: EventSource, tenant: string | null) => Promise<unknown>

/** Reads events with a subscription of one field, as a server key that may see everything of a tenant. */
export function openEventData(app: App, schema: GraphQLSchema, text: string): ReadEvent {
  const document = parse(text, { noLocation: true })
  const scopes = Object.keys(serverKeyScopes) as ServerKeyScope[]
  return async (event, tenant) => {
    const key = { id: serverKeyIdOf(0), name: 'webhook', scopes, tenant }
    const contextValue = { ...backendContext(app, key), scope: {} }
    const raw = await execute({ schema, document, contextValue, rootValue: event, variableValues: {} })
    const { data, errors } = withClientErrors(raw, contextValue)
    const away = errors?.find(({ extensions }) => extensions.code === 'UNAVAILABLE')
    if (away) throw away
    const [shown] = Object.values(data ?? {}) as Record<string, unknown>[]
    const { __typename: _, ...selected } = shown ?? {}
    return selected
  }
}
