// Reports each operation as a sign of life of its device (P1), and as use of the device if the user did something.

import type { Plugin } from '@envelop/core'
import { type DocumentNode, OperationTypeNode } from 'graphql'
import type { Guard } from '../account/guard.ts'
import type { Context } from '../graphql/context.ts'
import { rootFieldsOf } from '../graphql/root-fields.ts'
import type { App } from '../parts.ts'

/** `ACT`: the user did something. `THERE`: the device is present. `HEARTBEAT`: the mutation itself says what to report. */
type Sign = 'ACT' | 'THERE' | 'HEARTBEAT'

/** Mutations that apps send without the user. */
const automatic: ReadonlySet<string> = new Set([
  'acknowledge',
  'heartbeat',
  'registerPushSubscription',
  'registerPushToken',
  'renewConnection',
])

function signOf(document: DocumentNode, operationName: string | null | undefined): Sign {
  const { type, names } = rootFieldsOf(document, operationName)
  if (type !== OperationTypeNode.MUTATION) return 'THERE'
  if (names.every((name) => name === 'heartbeat')) return 'HEARTBEAT'
  return names.some((name) => !automatic.has(name)) ? 'ACT' : 'THERE'
}

/** Reports the sign of each operation of a viewer, except heartbeats. */
export function useSigns(app: App, guard: Guard): Plugin<Context> {
  const note = (document: DocumentNode, operationName: string | null | undefined, context: Context) => {
    const { viewer } = context.caller
    // A server key makes nobody present.
    if (!viewer || viewer.sessionId === null) return
    const { userId, sessionId } = viewer
    const sign = signOf(document, operationName)
    if (sign === 'HEARTBEAT') return
    guard.noteUse(sessionId, sign === 'ACT')
    const device = context.device() ?? app.devices.overHttp({ userId, sessionId }, false)
    if (sign === 'ACT') device.used()
    else device.alive()
  }
  return {
    onExecute({ args }) {
      note(args.document, args.operationName, args.contextValue)
    },
    onSubscribe({ args }) {
      note(args.document, args.operationName, args.contextValue)
    },
  }
}
