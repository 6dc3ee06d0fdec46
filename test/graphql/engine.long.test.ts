// Repeated documents are compiled, which must not change their answers: random documents, and some special ones, are sent until
// they are compiled, and every answer must equal the first one.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { findPlan, parseDocument } from '../../src/graphql/documents.ts'
import { isCompiled } from '../../src/graphql/engine.ts'
import { AddReaction, DeleteMessage, MarkRead, PinMessage } from '../law/documents.ts'
import { type ClientError, type Device, signUpAll } from '../support/device.ts'
import { type Node, openNode } from '../support/node.ts'
import { randomFrom } from './event-documents.ts'
import { OperationGenerator } from './operation-generator.ts'

const repeats = 13
/** The documents that came often enough: those that are compiled then, and those that must not be. */
const drawn = { compiled: new Set<string>(), interpreted: new Set<string>() }
let node: Node
let alice: Device
let ids: string[]
beforeAll(async () => {
  node = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: '3600' })
  const [first, bob, carol] = (await signUpAll(node, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
  alice = first
  const group = await alice.group('Compiled', bob, carol)
  const direct = await alice.direct(bob)
  const { message } = await bob.send(group, 'one')
  const gone = (await bob.send(group, 'two')).message
  await alice.send(direct, 'three')
  await alice.run(AddReaction, { input: { messageId: message.id, emoji: '🎉' } })
  await alice.run(PinMessage, { input: { messageId: message.id } })
  await bob.run(DeleteMessage, { input: { messageId: gone.id } })
  await carol.run(MarkRead, { input: { conversationId: group, seq: 2 } })
  ids = [
    group,
    direct,
    message.id,
    gone.id,
    alice.userId,
    bob.userId,
    alice.sessionId,
    bob.sessionId,
    'cnv_zzzzzzzzzzzzz',
    'nonsense',
  ]
})

type EngineAnswer = { data: string; errors: string[] }

async function ask(query: string, variables: object): Promise<EngineAnswer> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${alice.accessToken}` }
  const response = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
  const { data, errors = [] } = (await response.json()) as { data?: unknown; errors?: ClientError[] }
  // The order of the failures of two fields is not specified.
  return { data: JSON.stringify(data), errors: errors.map((error) => JSON.stringify(error)).sort() }
}

/** The errors of an answer; below a path at which null has propagated, only the path. */
function told(data: string | undefined, errors: readonly string[]): string[] {
  const shown = errors.map((error) => {
    const path: (string | number)[] = JSON.parse(error).path ?? []
    let value: unknown = JSON.parse(data ?? 'null')
    for (const [depth, key] of path.entries()) {
      if (value == null) return `null at ${path.slice(0, depth).join('.')}`
      value = (value as Record<string, unknown>)[key]
    }
    return error
  })
  return [...new Set(shown)].sort()
}

async function expectSame(query: string, variables: object = {}): Promise<EngineAnswer> {
  const first = await ask(query, variables)
  expect(first.errors.filter((error) => error.includes('"INTERNAL"'))).toEqual([])
  for (let n = 1; n < repeats; n += 1) {
    const { data, errors } = await ask(query, variables)
    expect({ query, data }).toEqual({ query, data: first.data })
    // Where null has propagated, one error reports it; which of several is not specified.
    expect({ query, errors: told(data, errors) }).toEqual({ query, errors: told(first.data, first.errors) })
  }
  // What was refused before it ran is never compiled.
  if (first.data === undefined) return first
  const document = parseDocument(query)
  const mayCompile = findPlan(document, null)?.codeSize != null
  drawn[mayCompile ? 'compiled' : 'interpreted'].add(query)
  expect({ query, isCompiled: isCompiled(document) }).toEqual({ query, isCompiled: mayCompile })
  return first
}

test.each(Array.from({ length: 12 }, (_, i) => i))('random documents, part %i', async (part) => {
  let [told, failed] = [0, 0]
  for (let n = 0; n < 10; n += 1) {
    const draw = new OperationGenerator(randomFrom(1_000 * part + n), ids, n % 3 > 0)
    const { data, errors } = await expectSame(draw.query(), draw.variables)
    told += Number(data !== 'null' && data !== undefined)
    failed += Number(errors.length > 0)
  }
  // Most of them must succeed and some must fail, or the test proves nothing.
  expect(told + failed).toBeGreaterThan(4)
})

test.each([
  [
    'a name that every object has',
    '{ __proto__: viewer { id } constructor: viewer { id } toString: viewer { __proto__: id valueOf: username } }',
  ],
  [
    'a fragment that is left out in one place',
    'query F($no: Boolean = false) { viewer { ...Name @include(if: $no) ...Name } } fragment Name on User { username }',
  ],
  [
    'a variable that every object has',
    'query V($constructor: Int, $toString: Int) { conversations(first: $constructor, last: $toString) { nodes { id } } }',
  ],
])('answers %s as before, and loses nothing', async (_what, query) => {
  const { data, errors } = await expectSame(query, query.includes('$toString') ? { toString: 1, constructor: null } : {})
  expect(errors).toEqual([])
  const keys = [...query.matchAll(/(\w+): \w/g)].map((found) => found[1] ?? '').filter((name) => query.startsWith('{') && name)
  for (const key of keys) expect(data).toContain(`"${key}":`)
  if (query.includes('...Name')) expect(JSON.parse(data)).toEqual({ viewer: { username: 'alice' } })
})

test.each(['__proto__', 'constructor', 'toString'])(
  'never confuses %s, as a variable or a field of an input, with a property of the prototype',
  async (name) => {
    const query = `query P($${name}: ID!) { nodes(ids: [$${name}]) { id } }`
    const given = await ask(query, JSON.parse(`{"${name}":"${ids[0]}"}`))
    expect(JSON.parse(given.data)).toEqual({ nodes: [{ id: ids[0] }] })
    const missing = await ask(query.replace('ID!', 'ID').replace('nodes(ids: [', 'x: nodes(ids: ["a", '), {})
    expect(missing.errors.join()).toMatch(/BAD_INPUT|OPERATION_REFUSED/)
    const mutation = 'mutation M($input: StartDirectConversationInput!) { startDirectConversation(input: $input) { cursor } }'
    const spoilt = JSON.parse(`{"input":{"userId":"${ids[5]}","${name}":{"userId":"x"}}}`)
    for (let n = 0; n < repeats; n += 1) expect((await ask(mutation, spoilt)).errors.join()).toContain('BAD_INPUT')
  },
)

test('null propagates to the next nullable field, and each error is reported', async () => {
  const document = `query Rising($id: ID!, $wrong: Int!) {
    bad: conversation(id: "nonsense") { id }
    conversation(id: $id) { id messages(first: $wrong) { nodes { id } } }
    other: conversation(id: $id) { id kind }
    node(id: "cnv_zzzzzzzzzzzzz") { id }
  }`
  const { data, errors } = await expectSame(document, { id: ids[0], wrong: 1_000 })
  expect(JSON.parse(data)).toEqual({ bad: null, conversation: null, other: { id: ids[0], kind: 'GROUP' }, node: null })
  expect(errors).toHaveLength(2)
})

test.each([
  ['a variable that is missing', 'query M($id: ID!) { conversation(id: $id) { id } }', {}],
  ['a variable of another type', 'query T($n: Int) { conversations(first: $n) { nodes { id } } }', { n: 'many' }],
  ['a number too large', 'query L($n: Int) { conversations(first: $n) { nodes { id } } }', { n: 2 ** 31 }],
  ['null for a non-null variable', 'query N($id: ID!) { conversation(id: $id) { id } }', { id: null }],
  [
    'an unknown value of an enum',
    'query E($d: ContactRequestDirection!) { contactRequests(direction: $d) { nodes { state } } }',
    { d: 'SIDEWAYS' },
  ],
])('refuses %s with the same message', async (_what, query, variables) => {
  const { errors } = await expectSame(query, variables)
  expect(errors).toHaveLength(1)
  expect(errors[0]).toContain('BAD_INPUT')
})

test('runs the mutations of a document one after another, also after a failure', async () => {
  const query = `mutation Two($one: SendMessageInput!, $bad: SendMessageInput!, $two: SendMessageInput!) {
    one: sendMessage(input: $one) { message { seq text } }
    bad: sendMessage(input: $bad) { message { seq } }
    two: sendMessage(input: $two) { message { seq text } }
  }`
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${alice.accessToken}` }
  let last = 0
  for (let n = 0; n < repeats; n += 1) {
    const input = (text: string) => ({ conversationId: ids[1], clientMessageId: randomUUID(), text })
    const variables = { one: input('one'), bad: input(''), two: input('two') }
    const response = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
    const { data, errors } = (await response.json()) as { data: unknown; errors: ClientError[] }
    expect(errors.map(({ path, extensions }) => [path, extensions.code])).toEqual([[['bad'], 'BAD_INPUT']])
    // Every payload is there or the whole is null: `sendMessage` is non-null.
    expect(data).toBeNull()
    last += 1
  }
  expect(last).toBe(repeats)
})

test('documents of both kinds were drawn: such as are compiled, and such as are not', () => {
  expect(drawn.compiled.size).toBeGreaterThan(20)
  expect(drawn.interpreted.size).toBeGreaterThan(20)
})
