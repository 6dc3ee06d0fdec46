// GraphQL over HTTP: Yoga, with queries and mutations as JSON and subscriptions as server-sent events.

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAsyncIterable, type Plugin } from '@envelop/core'
import { createYoga, type Plugin as YogaPlugin, type YogaServerInstance } from 'graphql-yoga'
import type { Guard } from '../account/guard.ts'
import type { App } from '../app.ts'
import type { Broadcast } from '../graphql/broadcast.ts'
import type { Context } from '../graphql/context.ts'
import { clientError } from '../graphql/errors.ts'
import { useClientErrors, useOurEngine, usePlainIntrospection, useSnapshots } from '../graphql/execution.ts'
import { schema } from '../schema.ts'
import { bearerToken, type Call, identify } from './callers.ts'
import type { Connection, Connections } from './connections.ts'
import { graphiqlOptions, renderGraphiQL } from './graphiql.ts'
import { useSigns } from './signs.ts'

const bodyBytesMax = 262_144

/** What the transport knows of a request before GraphQL begins: over HTTP the request itself, over a WebSocket its call. */
export type Door =
  | { readonly req: IncomingMessage; readonly res: ServerResponse }
  | ({ readonly call: Call } & Pick<Context, 'visit' | 'endConnection' | 'renewConnection'>)

export type Yoga = YogaServerInstance<Door, Context>

/** Builds the GraphQL handler of a node. */
export function createGraphqlHandler(app: App, guard: Guard, connections: Connections, broadcast: Broadcast): Yoga {
  const quiet = (...args: unknown[]) => app.log.debug({ args }, 'yoga')
  return createYoga<Door, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    multipart: false,
    maxRequestBodySize: bodyBytesMax,
    logging: { debug: () => undefined, info: quiet, warn: quiet, error: quiet },
    cors: (request) => {
      const origin = request.headers.get('origin')
      const isListed = origin !== null && app.config.http.allowedOrigins.includes(origin)
      return isListed ? { origin, credentials: false, maxAge: 600 } : false
    },
    graphiql: app.config.isProduction ? false : graphiqlOptions,
    renderGraphiQL,
    maskedErrors: { maskError: (error) => clientError(error, randomUUID(), app.log) },
    context: (door) => createContext(door, app, guard),
    plugins: [
      useOurEngine(broadcast),
      useSigns(app, guard),
      usePlainIntrospection(),
      useJsonOnly(),
      useSnapshots(app),
      useClientErrors(broadcast),
      useToldRefusals(app),
      useOpenEventStreams(app, guard, connections),
    ],
  })
}

async function createContext(door: Door, app: App, guard: Guard): Promise<Context> {
  const shared = { app, reader: app.store.reader, snapshot: null, scope: null, wholeHistoryOf: null }
  if ('call' in door) {
    const { call, ...connection } = door
    return { ...shared, ...connection, caller: call.caller, requestId: randomUUID() }
  }
  const { caller } = await identify(guard, bearerToken(door.req.headers.authorization))
  const requestId = String(door.res.getHeader('x-request-id'))
  const endConnection = () => void door.res.destroy()
  return { ...shared, caller, requestId, visit: () => null, endConnection, renewConnection: null }
}

/** Bodies are JSON, or are refused: browsers send forms across sites without asking. */
function useJsonOnly(): Plugin & {
  onRequest(payload: { request: Request; fetchAPI: { Response: typeof Response }; endResponse(r: Response): void }): void
} {
  return {
    onRequest({ request, fetchAPI, endResponse }) {
      if (
        request.method !== 'POST' ||
        /^application\/(json|graphql-response\+json|graphql\+json)\b/i.test(request.headers.get('content-type') ?? '')
      )
        return
      endResponse(new fetchAPI.Response('Send the operation as application/json\n', { status: 415 }))
    },
  }
}

/** Brings what Yoga itself answers over HTTP (a document that is not valid, say) into the form of all our errors. */
function useToldRefusals(app: App): YogaPlugin {
  return {
    onExecutionResult({ result, setResult, context }) {
      if (!result || Array.isArray(result) || !('errors' in result) || !result.errors) return
      const { requestId = randomUUID() } = context as Partial<Context>
      const errors = result.errors.map((error) => clientError(error, requestId, app.log))
      setResult({ ...result, errors })
    },
  }
}

/**
 * Registers the event stream of a subscription over HTTP with its session, for as long as the response is open, and ends the
 * subscription with it: also where the client has gone before the stream was open.
 */
function useOpenEventStreams(
  app: App,
  guard: Guard,
  connections: Connections,
): Plugin<Context & Partial<{ res: ServerResponse; req: IncomingMessage }>> {
  return {
    async onSubscribe({ args }) {
      const { res, req, caller, endConnection } = args.contextValue
      if (!res || !caller.viewer) return undefined
      const { admission } = await identify(guard, bearerToken(req?.headers.authorization))
      const ending = {
        onSubscribeResult({ result }: { result: unknown }) {
          if (!isAsyncIterable(result)) return
          const end = () => {
            const ended = result[Symbol.asyncIterator]().return?.()
            ended?.catch((error: unknown) => app.log.error({ err: error }, 'an event stream ended badly'))
          }
          if (res.destroyed) end()
          else res.once('close', end)
        },
      }
      if (!admission || res.destroyed) {
        res.destroy() // the session was ended, or the client has gone, since the request began
        return ending
      }
      const connection: Connection = {
        sessionId: admission.viewer.sessionId,
        expiresAt: admission.expiresAt,
        end: endConnection,
        leave: () => res.destroy(),
      }
      connections.add(connection)
      app.visits.overHttp(admission.viewer).act()
      res.once('close', () => connections.remove(connection))
      return ending
    },
  }
}
