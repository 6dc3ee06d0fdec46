// The Pothos builder. Knows no feature: types are added by the */schema.ts files, which src/schema.ts loads.

import SchemaBuilder from '@pothos/core'
import ComplexityPlugin from '@pothos/plugin-complexity'
import RelayPlugin from '@pothos/plugin-relay'
import { badInput, errorCodes, notFound, ParleyError } from '../errors.ts'
import './sharing.ts'
import { encodeId, findId, type IdType } from '../id.ts'
import type { Context } from './context.ts'

/** What one operation may ask for. A connection counts its page size times what is selected below it. */
const costMax = { depth: 15, breadth: 400, complexity: 20_000 } as const

/** The schema under construction. */
export const builder = new SchemaBuilder<{
  Context: Context
  DefaultFieldNullability: false
  DefaultInputFieldRequiredness: true
  Scalars: {
    ID: { Input: string; Output: string }
    Cursor: { Input: string; Output: string }
    DateTime: { Input: Date; Output: Date }
  }
}>({
  plugins: [RelayPlugin, ComplexityPlugin, 'sharing'],
  defaultFieldNullability: false,
  defaultInputFieldRequiredness: true,
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    nodesOnConnection: { description: 'The things of this page, without their cursors.' },
    idFieldOptions: { description: 'The global id.' },
    edgesFieldOptions: { description: 'The things of this page, with their cursors.' },
    pageInfoFieldOptions: { description: 'Where this page lies.' },
    nodeFieldOptions: { description: 'The thing itself.' },
    cursorFieldOptions: { description: 'What to give to `after` or `before` to go on from here.' },
    firstArgOptions: { description: 'The first 1 to 100 after `after`; 50 where neither first nor last is given.' },
    lastArgOptions: { description: 'The last 1 to 100 before `before`.' },
    afterArgOptions: { description: 'Only what comes after this cursor.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
    hasNextPageFieldOptions: { description: 'Whether more comes after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there is more before this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first thing of the page; null for an empty one.' },
    endCursorFieldOptions: { description: 'The cursor of the last thing of the page; null for an empty one.' },
    encodeGlobalID: (typename, id) => encodeId(typename as IdType, ...(String(id).split(':').map(Number) as [number])),
    decodeGlobalID(globalId) {
      const found = findId(globalId)
      if (!found) throw notFound('Node')
      return { typename: found.type, id: found.numbers.join(':') }
    },
    nodeTypeOptions: { description: 'Anything that has a global id.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its connection.' },
    nodeQueryOptions: {
      description: 'Anything by its global id; null where it does not exist or is not yours to see.',
      args: { id: { description: 'The global id.' } },
    },
    nodesQueryOptions: {
      args: { ids: { description: 'The global ids.' } },
      complexity: ({ ids }) => ({ field: 1, multiplier: Math.max(ids.length, 1) }),
      resolve(_root, { ids }, _context, _info, load) {
        if (ids.length > 100) throw badInput('ids', 'at most 100 at once')
        return load(ids)
      },
      description: 'Many things by their global ids, at most 100, in the order of the ids; null for each that is not to be had.',
    },
  },
  complexity: {
    defaultComplexity: 1,
    defaultListMultiplier: 1,
    limit: costMax,
    complexityError: (kind) => {
      throw new ParleyError('OPERATION_REFUSED', `The operation is too large (${kind}): ask for less at once`)
    },
  },
})

builder.queryType({ description: 'What can be asked.' })
builder.mutationType({ description: 'What can be done. Each mutation takes one `input` and answers with one payload.' })
builder.subscriptionType({ description: 'What can be followed, over WebSocket (graphql-transport-ws) or server-sent events.' })

builder.scalarType('DateTime', {
  description: 'A moment in UTC, by RFC 3339, to the millisecond: `2026-11-21T09:30:00.000Z`.',
  serialize: (date) => date.toISOString(),
  parseValue(value) {
    const date = new Date(typeof value === 'string' ? value : Number.NaN)
    if (Number.isNaN(date.getTime()))
      throw new ParleyError('BAD_INPUT', 'A DateTime is a text of the form 2026-11-21T09:30:00.000Z')
    return date
  },
})
builder.scalarType('Cursor', {
  description:
    'A place in the journal of everything that happens: "up to here, I have it all". Opaque: keep it, and give it back to `events(after:)`.',
  serialize: (value) => value,
  parseValue(value) {
    if (typeof value !== 'string') throw new ParleyError('BAD_INPUT', 'A Cursor is a string')
    return value
  },
})
builder.enumType('ErrorCode', {
  description:
    'What `extensions.code` of an error may hold. Beside it stand `retryable` and, where it helps, `retryAfterMs` and `argument`.',
  values: Object.fromEntries(Object.entries(errorCodes).map(([code, description]) => [code, { description }])),
})
