// Documents that come again and again are compiled. What they are answered must not change by that: drawn documents, and some
// that were thought of, are sent until they are compiled, and every answer has to be the first one.

import { randomUUID } from 'node:crypto'
import {
  type GraphQLArgument,
  type GraphQLField,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
} from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { schema } from '../src/schema.ts'
import { randomFrom } from './broadcast/questions.ts'
import { AddReaction, DeleteMessage, MarkRead, PinMessage } from './law/documents.ts'
import { type ClientError, type Device, signUpAll } from './support/device.ts'
import { type Node, openNode } from './support/node.ts'

const repeats = 13
/** What is another thing each time that it is asked. */
const restless = new Set(['gateway', 'lastUsedAt', 'lastActiveAt', 'presence', 'state', 'lapsesAt'])

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

type Answer = { data: string; errors: string[] }

async function ask(query: string, variables: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${alice.accessToken}` }
  const response = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
  const { data, errors = [] } = (await response.json()) as { data?: unknown; errors?: ClientError[] }
  // Which of two fields fails first is nobody's to say.
  return { data: JSON.stringify(data), errors: errors.map((error) => JSON.stringify(error)).sort() }
}

async function expectSame(query: string, variables: object = {}): Promise<Answer> {
  const first = await ask(query, variables)
  expect(first.errors.filter((error) => error.includes('"INTERNAL"'))).toEqual([])
  for (let n = 1; n < repeats; n += 1) {
    const { data, errors } = await ask(query, variables)
    expect({ query, data }).toEqual({ query, data: first.data })
    // Where nothing is left of the answer, one error says it: which of several is nobody's to say either.
    if (data === 'null') expect(errors.filter((error) => first.errors.includes(error))).not.toEqual([])
    else expect({ query, errors }).toEqual({ query, errors: first.errors })
  }
  return first
}

/** Draws operations on all of the schema: arguments as literals and as variables, aliases, fragments, directives. */
class Draw {
  readonly variables: Record<string, unknown> = {}
  readonly #random: () => number
  readonly #declared: string[] = []
  readonly #fragments: string[] = []
  #count = 0

  constructor(random: () => number) {
    this.#random = random
  }

  #next(): number {
    this.#count += 1
    return this.#count
  }

  query(): string {
    const type = schema.getQueryType()
    const fields = Object.values(type?.getFields() ?? {}).filter(({ name }) => !restless.has(name))
    const selected = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () => {
      const field = fields[Math.floor(this.#random() * fields.length)]
      return field ? this.#field(field, 4, `r${this.#next()}: `) : ''
    })
    const [sure, never] = ['$yes: Boolean = true', '$no: Boolean!']
    this.variables.no = false
    const operation = `query Drawn(${[sure, never, ...this.#declared].join(', ')}) { __typename ${selected.join(' ')} ...Last @include(if: $yes) ...Last @skip(if: $no) }`
    return `${operation} fragment Last on Query { __typename viewer { id } } ${this.#fragments.join(' ')}`
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number, alias: string): string {
    const type = getNamedType(field.type)
    const below = isLeafType(type) ? '' : ` { __typename ${this.#below(type.name, depth - 1)} }`
    const drawn = this.#random()
    const directive = drawn < 0.9 ? '' : drawn < 0.95 ? ' @skip(if: $yes)' : ' @include(if: $no)'
    return `${alias}${field.name}${this.#arguments(field.args)}${directive}${below}`
  }

  #below(typeName: string, depth: number): string {
    const type = schema.getType(typeName)
    if (isAbstractType(type)) {
      return schema
        .getPossibleTypes(type)
        .filter(() => this.#random() < 0.5)
        .map(({ name }) => `... on ${name} { ${this.#below(name, depth)} }`)
        .join(' ')
    }
    if (!isObjectType(type)) return ''
    const drawn = Object.values(type.getFields())
      .filter(({ name, type: of }) => !restless.has(name) && this.#random() < 0.5 && (depth > 0 || isLeafType(getNamedType(of))))
      .map((field) => this.#field(field, depth, this.#random() < 0.1 ? `a${this.#next()}: ` : ''))
      .join(' ')
    if (this.#random() > 0.2 || drawn === '') return drawn
    const name = `F${this.#next()}`
    this.#fragments.push(`fragment ${name} on ${typeName} { ${drawn} }`)
    return `...${name}`
  }

  #arguments(args: readonly GraphQLArgument[]): string {
    const given = args.filter((arg) => isRequiredArgument(arg) || (/^(first|last)$/.test(arg.name) && this.#random() < 0.3))
    const both = given.length > 1 && given.every(({ name }) => /^(first|last)$/.test(name)) ? given.slice(0, 1) : given
    const texts = both.map((arg) => {
      const value = this.#value(arg)
      if (this.#random() < 0.5) return `${arg.name}: ${isEnumType(getNamedType(arg.type)) ? value : JSON.stringify(value)}`
      const name = `v${this.#next()}`
      this.#declared.push(`$${name}: ${String(arg.type)}`)
      this.variables[name] = value
      return `${arg.name}: $${name}`
    })
    return texts.length > 0 ? `(${texts.join(', ')})` : ''
  }

  #value({ name, type }: GraphQLArgument): unknown {
    const of = getNamedType(type)
    const pick = <T>(from: readonly T[]) => from[Math.floor(this.#random() * from.length)]
    if (isListType(getNullableType(type))) return [pick(ids), pick(ids)]
    if (isEnumType(of)) return pick(of.getValues())?.name
    if (of.name === 'ID') return pick(ids)
    if (of.name === 'Int') return pick([1, 2, 5, 5, 5, 1_000])
    if (of.name === 'Boolean') return this.#random() < 0.5
    return name === 'username' ? pick(['alice', 'bob', 'nobody']) : pick(['one', 'alice', ''])
  }
}

test.each(Array.from({ length: 12 }, (_, i) => i))('drawn documents, part %i', async (part) => {
  let [told, failed] = [0, 0]
  for (let n = 0; n < 10; n += 1) {
    const draw = new Draw(randomFrom(1_000 * part + n))
    const { data, errors } = await expectSame(draw.query(), draw.variables)
    told += Number(data !== 'null' && data !== undefined)
    failed += Number(errors.length > 0)
  }
  // Most of them have to be answered, and some to fail, or this says nothing.
  expect(told + failed).toBeGreaterThan(4)
})

test('null rises to the next field that may be null, with each error told', async () => {
  const document = `query Rising($id: ID!, $wrong: Int!) {
    bad: conversation(id: "nonsense") { id }
    conversation(id: $id) { id messages(first: $wrong) { nodes { id } } }
    other: conversation(id: $id) { id kind }
    node(id: "cnv_zzzzzzzzzzzzz") { id }
  }`
  const { data, errors } = await expectSame(document, { id: ids[0], wrong: 1_000 })
  expect(JSON.parse(data)).toEqual({ bad: null, conversation: null, other: { id: ids[0], kind: 'GROUP' }, node: null })
  expect(errors).toHaveLength(3)
})

test.each([
  ['a variable that is missing', 'query M($id: ID!) { conversation(id: $id) { id } }', {}],
  ['a variable of another type', 'query T($n: Int) { conversations(first: $n) { nodes { id } } }', { n: 'many' }],
  ['a number too large', 'query L($n: Int) { conversations(first: $n) { nodes { id } } }', { n: 2 ** 31 }],
  ['null for what must not be null', 'query N($id: ID!) { conversation(id: $id) { id } }', { id: null }],
  [
    'an unknown value of an enum',
    'query E($d: ContactRequestDirection!) { contactRequests(direction: $d) { nodes { state } } }',
    { d: 'SIDEWAYS' },
  ],
])('%s is refused in the same words', async (_what, query, variables) => {
  const { errors } = await expectSame(query, variables)
  expect(errors).toHaveLength(1)
  expect(errors[0]).toContain('BAD_INPUT')
})

test('mutations of one document are done one after another, and one that fails stops none', async () => {
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
    // Every payload is there or the whole is null: `sendMessage` may not be null.
    expect(data).toBeNull()
    last += 1
  }
  expect(last).toBe(repeats)
})
