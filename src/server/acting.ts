// What server keys do on behalf of users: without the scope ACT they only read, and each mutation is in the audit log before it happens.

import type { Plugin } from '@envelop/core'
import { type DocumentNode, type ExecutionArgs, Kind, OperationTypeNode, visit } from 'graphql'
import { ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { clientError } from '../graphql/errors.ts'
import { rootFieldsOf } from '../graphql/root-fields.ts'
import { findId } from '../id.ts'
import type { App } from '../parts.ts'

/** The most ids that one entry names, and how deeply they may be nested in the arguments. */
const [subjectsMax, depthMax] = [100, 5]

/** Refuses mutations of keys that may only read, and records the others. One that cannot be recorded is not carried out. */
export function useActing(app: App): Plugin<Context> {
  return {
    async onExecute({ args, setResultAndStopExecution }) {
      const { caller, requestId } = args.contextValue as Context
      const { key, viewer } = caller
      if (!key || !viewer) return
      const { type, names } = rootFieldsOf(args.document, args.operationName)
      if (type !== OperationTypeNode.MUTATION) return
      try {
        if (!key.scopes.includes('ACT')) throw new ParleyError('FORBIDDEN', 'The server key does not have the scope ACT.')
        const subjects = idsIn(args)
        for (const action of names) {
          await app.audit.record({ actor: 'KEY', keyId: key.id, userId: viewer.userId, action, subjects })
        }
      } catch (error) {
        setResultAndStopExecution({ errors: [clientError(error, requestId, app)] })
      }
    },
  }
}

/** The global ids in the arguments of an operation, without duplicates. */
function idsIn({ document, variableValues }: ExecutionArgs): string[] {
  const found = new Set<string>()
  const add = (value: unknown, depth: number): void => {
    if (typeof value === 'string') {
      if (found.size < subjectsMax && findId(value) !== null) found.add(value)
    } else if (typeof value === 'object' && value !== null && depth < depthMax) {
      for (const inner of Object.values(value)) add(inner, depth + 1)
    }
  }
  add(variableValues, 0)
  for (const text of literalsIn(document)) add(text, 0)
  return [...found]
}

function literalsIn(document: DocumentNode): string[] {
  const texts: string[] = []
  visit(document, { [Kind.STRING]: (node) => void texts.push(node.value) })
  return texts
}
