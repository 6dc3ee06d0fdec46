// Signs of life (P1) and of use: what an operation says of the device that it comes from.

import type { Plugin } from '@envelop/core'
import { type DocumentNode, getOperationAST, Kind, OperationTypeNode } from 'graphql'
import type { Guard } from '../account/guard.ts'
import type { App } from '../app.ts'
import type { Context } from '../graphql/context.ts'

/** What an operation says: that its person does something, that the device is there, or, of a heartbeat, what it says itself. */
type Sign = 'ACT' | 'THERE' | 'HEARTBEAT'

/** Mutations that apps send by themselves. */
const automatic: ReadonlySet<string> = new Set(['acknowledge', 'renewConnection', 'heartbeat'])
const signs = new WeakMap<DocumentNode, Map<string | null | undefined, Sign>>()

function signOf(document: DocumentNode, operationName: string | null | undefined): Sign {
  const known = signs.get(document) ?? new Map<string | null | undefined, Sign>()
  const found = known.get(operationName)
  if (found) return found
  const operation = getOperationAST(document, operationName)
  const selections = operation?.selectionSet.selections ?? []
  const fields = selections.map((selection) => (selection.kind === Kind.FIELD ? selection.name.value : ''))
  const isMutation = operation?.operation === OperationTypeNode.MUTATION
  const isOnlyHeartbeat = fields.every((name) => name === 'heartbeat')
  const isAct = isMutation && fields.some((name) => !automatic.has(name))
  const sign = isMutation && isOnlyHeartbeat ? 'HEARTBEAT' : isAct ? 'ACT' : 'THERE'
  signs.set(document, known.set(operationName, sign))
  return sign
}

/** Notes of each operation of a viewer what it says. Nothing is written for a heartbeat. */
export function useSigns(app: App, guard: Guard): Plugin<Context> {
  const note = (document: DocumentNode, operationName: string | null | undefined, context: Context) => {
    const { viewer } = context.caller
    if (!viewer) return
    const sign = signOf(document, operationName)
    if (sign === 'HEARTBEAT') return
    guard.noteUse(viewer.sessionId, sign === 'ACT')
    const visit = context.visit() ?? app.visits.overHttp(viewer)
    if (sign === 'ACT') visit.act()
    else visit.sign()
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
