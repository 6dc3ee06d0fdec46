// The Pothos builder. It knows no features: the */schema.ts files, which src/schema.ts loads, add the types.

import SchemaBuilder from '@pothos/core'
import ComplexityPlugin from '@pothos/plugin-complexity'
import RelayPlugin from '@pothos/plugin-relay'
import { badInput, errorCodes, ParleyError } from '../errors.ts'
import './sharing.ts'
import { encodeId, findId, type IdType } from '../id.ts'
import { type Context, requireViewer } from './context.ts'
import { parseDateTime, printDateTime } from './date-time.ts'

/** The type of a text that is not an ID. */
const noType = ''

/** The schema under construction. */
export const builder = new SchemaBuilder<{
  Context: Context
  DefaultFieldNullability: false
  DefaultInputFieldRequiredness: true
  Scalars: {
    ID: { Input: string; Output: string }
    Cursor: { Input: string; Output: string }
    DateTime: { Input: Date; Output: Date }
    JSON: { Input: unknown; Output: unknown }
    /** Bytes; as base64 text on their way out, because that is how messages travel between nodes. */
    Base64: { Input: Buffer; Output: string }
  }
}>({
  plugins: [RelayPlugin, ComplexityPlugin, 'sharing'],
  defaultFieldNullability: false,
  defaultInputFieldRequiredness: true,
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    nodesOnConnection: { description: 'The items on this page, without their cursors.' },
    idFieldOptions: { description: 'The global ID of this object.' },
    edgesFieldOptions: { description: 'The items on this page, each with its cursor.' },
    pageInfoFieldOptions: { description: 'Where this page lies in the whole list.' },
    nodeFieldOptions: { description: 'The item.' },
    cursorFieldOptions: { description: 'The cursor of this item: pass it as `after` or `before` to continue from here.' },
    firstArgOptions: {
      description:
        'Returns up to this many items (1 to 100) from the start, or after `after`. Defaults to 50 unless you set `last`.',
    },
    lastArgOptions: {
      description: 'Returns up to this many items (1 to 100) from the end, or before `before`. Cannot be combined with `first`.',
    },
    afterArgOptions: { description: 'Returns only items after this cursor.' },
    beforeArgOptions: { description: 'Returns only items before this cursor.' },
    hasNextPageFieldOptions: { description: 'Whether there are more items after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there are more items before this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first item on this page; null if the page is empty.' },
    endCursorFieldOptions: { description: 'The cursor of the last item on this page; null if the page is empty.' },
    encodeGlobalID: (typename, id) => encodeId(typename as IdType, ...(String(id).split(':').map(Number) as [number])),
    // A malformed ID identifies nothing: `nodes` returns null in its place, and all other objects beside it.
    decodeGlobalID(globalId) {
      const found = findId(globalId)
      return found ? { typename: found.type, id: found.numbers.join(':') } : { typename: noType, id: '' }
    },
    nodeTypeOptions: { description: 'An object with a global ID.' },
    pageInfoTypeOptions: { description: 'Where a page lies in the whole list.' },
    nodeQueryOptions: {
      description: 'Finds an object by its global ID; null if it does not exist, you may not see it, or the ID is malformed.',
      args: { id: { description: 'The global ID.' } },
      resolve(_root, { id }, context, _info, load) {
        requireViewer(context)
        return id.typename === noType ? null : load(id)
      },
    },
    nodesQueryOptions: {
      args: { ids: { description: 'The global IDs, at most 100.' } },
      complexity: ({ ids }) => ({ field: 1, multiplier: Math.max(ids.length, 1) }),
      resolve(_root, { ids }, context, _info, load) {
        requireViewer(context)
        if (ids.length > 100) throw badInput('ids', 'must have at most 100 IDs')
        // `load` ignores its parameter and loads the arguments themselves: null in them becomes null in the list.
        for (const [i, { typename }] of ids.entries()) if (typename === noType) Object.assign(ids, { [i]: null })
        return load(ids)
      },
      description:
        'Finds up to 100 objects by their global IDs, in the order of the IDs. An entry is null if the object does not exist, you may not see it, or the ID is malformed. Errors: BAD_INPUT.',
    },
  },
  // Lets fields declare their cost. cost.ts counts and checks it before an operation runs.
  complexity: { defaultComplexity: 1, defaultListMultiplier: 1, disabled: true },
})

/** The types of the builder, for functions that declare fields and types. */
export type BuilderTypes = typeof builder.$inferSchemaTypes

builder.queryType({
  description:
    'The operations that read data. Each needs an access token unless its description says otherwise; without a valid one it fails with UNAUTHENTICATED, TOKEN_EXPIRED or SESSION_REVOKED.',
})
builder.mutationType({
  description:
    'The operations that change data. Each takes one `input`, if any, and returns one payload. Each needs an access token unless its description says otherwise; without a valid one it fails with UNAUTHENTICATED, TOKEN_EXPIRED or SESSION_REVOKED.',
})
builder.subscriptionType({
  description:
    'The operations that deliver events as they happen, over WebSocket (graphql-transport-ws) or server-sent events. Each needs an access token.',
})

builder.scalarType('DateTime', {
  description:
    'An RFC 3339 timestamp: a valid date, a time and a UTC offset, in the years 0001 to 9999. Returned in UTC with milliseconds: `2026-11-21T09:30:00.000Z`. Accepted with any offset; fractional digits beyond milliseconds are dropped. Anything else is BAD_INPUT.',
  serialize: printDateTime,
  parseValue(value) {
    const date = typeof value === 'string' ? parseDateTime(value) : null
    if (date) return date
    const message = 'A DateTime must be an RFC 3339 timestamp with an offset, such as 2026-11-21T09:30:00Z, on a day that exists.'
    throw new ParleyError('BAD_INPUT', message)
  },
})
builder.scalarType('Cursor', {
  description:
    "A position in the journal, the ordered record of everything that happens. Opaque: store it as it is, and pass it to `events(after:)` to receive everything after it. The cursor of a mutation's event does not mean that you have received the events before it; resume only from cursors of `events` and `syncCursor`.",
  serialize: (value) => value,
  parseValue(value) {
    if (typeof value !== 'string') throw new ParleyError('BAD_INPUT', 'A Cursor must be a string.')
    return value
  },
})
builder.scalarType('JSON', { description: 'Any JSON value.', serialize: (value) => value, parseValue: (value) => value })
builder.scalarType('Base64', {
  description: 'Bytes in base64 (RFC 4648, section 4), with padding and without line breaks.',
  serialize: (value) => value,
  parseValue(value) {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : null
    if (bytes !== null && bytes.toString('base64') === value) return bytes
    throw new ParleyError('BAD_INPUT', 'A Base64 must be base64 with padding, without line breaks.')
  },
})
builder.enumType('ErrorCode', {
  description:
    'The values of `extensions.code` in errors. Every error also has `extensions.retryable` and, where it helps, `retryAfterMs` and `argument`.',
  values: Object.fromEntries(Object.entries(errorCodes).map(([code, description]) => [code, { description }])),
})
