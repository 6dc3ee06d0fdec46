// A document is checked before anything else, on every transport, in a time that its length bounds.

import { randomUUID } from 'node:crypto'
import { getIntrospectionQuery } from 'graphql'
import { beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type ClientError, type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, createDatabase, type Node, openNode } from '../support/node.ts'

let node: Node
let alice: Device
beforeAll(async () => {
  node = await openNode({ PARLEY_LOG_LEVEL: 'silent' })
  ;[alice] = (await signUpAll(node, 'Alice')) as [Device]
})

type Body = {
  readonly query: string
  readonly variables?: unknown
  readonly operationName?: string
  readonly extensions?: { readonly cost?: boolean }
}
type DocumentResult = { data?: unknown; errors?: ClientError[]; extensions?: { cost?: number } }

async function overHttp(body: Body, accept = 'application/json'): Promise<DocumentResult> {
  const headers = { 'content-type': 'application/json', accept, authorization: `Bearer ${alice.accessToken}` }
  const text = await (await fetch(node.url, { method: 'POST', headers, body: JSON.stringify(body) })).text()
  return JSON.parse(text.startsWith('{') ? text : (/^data: (.*)$/m.exec(text)?.[1] ?? '{}')) as DocumentResult
}

async function overSocket(body: Body): Promise<DocumentResult> {
  const socket = new WebSocket(node.socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => socket.terminate())
  return new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { accessToken: alice.accessToken } })))
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)))
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse(String(data))
      if (type === 'connection_ack') socket.send(JSON.stringify({ id: randomUUID(), type: 'subscribe', payload: body }))
      else if (type === 'error') resolve({ errors: payload })
      else if (type === 'next') resolve(payload)
    })
  })
}

const transports = [
  ['HTTP', overHttp],
  ['an event stream', (body: Body) => overHttp(body, 'text/event-stream')],
  ['a WebSocket', overSocket],
] as const

const list = (count: number, write: (i: number) => string) => Array.from({ length: count }, (_, i) => write(i)).join(' ')
/** Fragments that each spread the next one twice. */
const doubling = (levels: number, type: string, write: (next: string) => string, last: string) =>
  `${list(levels, (i) => `fragment F${i} on ${type} { ${write(`...F${i + 1}`)} }`)} fragment F${levels} on ${type} { ${last} }`

const message = 'node(id: "msg_0") { ...F0 }'
const refused: readonly (readonly [string, string])[] = [
  [
    'fragments that double in fields',
    `{ ${message} } ${doubling(16, 'Message', (next) => `a: replyTo { ${next} } b: replyTo { ${next} }`, 'id')}`,
  ],
  ['fragments that double in place', `{ ${message} } ${doubling(24, 'Message', (next) => `${next} ${next}`, 'id')}`],
  [
    'fragments that double in a subscription',
    `subscription { ...F0 } ${doubling(24, 'Subscription', (next) => `${next} ${next}`, 'events { cursor }')}`,
  ],
  [
    'fragments that double in introspection',
    `{ ...F0 } ${doubling(24, 'Query', (next) => `${next} ${next}`, '__schema { types { name } }')}`,
  ],
  ['doubling fragments that are not used', `{ viewer { id } } ${doubling(24, 'Message', (next) => `${next} ${next}`, 'id')}`],
  [
    'inline fragments that double',
    `{ viewer { ${list(9, () => '... { ... {')} id ${list(9, () => '} ... { id } } ... { id }')} ${list(400, () => '... { id }')} } }`,
  ],
  ['cyclic fragments', `{ viewer { ...A } } fragment A on User { ...B } fragment B on User { ...A }`],
  ['a fragment that spreads itself below', `{ ${message.replace('F0', 'A')} } fragment A on Message { replyTo { ...A } }`],
  ['comments', `{ viewer { id } }\n${'#\n'.repeat(18_000)}`],
  ['commas and blanks', `{ viewer { id } }${' ,\n\t\ufeff'.repeat(5_000)}`],
  ['depth', `{ ${'node(id: "x") { ... on Message { replyTo { '.repeat(1)}${'replyTo { '.repeat(14)} id ${'} '.repeat(17)} }`],
  ['the same field over and over', `{ ${'viewer { id } '.repeat(190)} }`],
  [
    'many fragments side by side',
    `{ viewer { ${list(90, (i) => `...F${i}`)} } } ${list(90, (i) => `fragment F${i} on User { id }`)}`,
  ],
  ['many fields', `{ viewer { ${list(450, () => 'id')} } }`],
  ['many aliases', `{ viewer { ${list(210, (i) => `a${i}: id`)} } }`],
  ['a long alias', `{ viewer { ${'a'.repeat(101)}: id } }`],
  ['many directives', `{ viewer { ${list(120, (i) => `a${i}: id @skip(if: false)`)} } }`],
  ['many directives on one field', `{ viewer { id ${'@skip(if: false) '.repeat(300)} } }`],
  ['many operations', list(30, (i) => `query Q${i} { viewer { id } }`)],
  ['many variables', `query Q(${list(120, (i) => `$v${i}: ID!`)}) { nodes(ids: [${list(120, (i) => `$v${i}`)}]) { id } }`],
  ['literals in literals', `{ nodes(ids: ${'['.repeat(900)}${']'.repeat(900)}) { id } }`],
  ['many unknown fields', `{ ${list(300, (i) => `f${i}`)} }`],
  ['introspection in introspection', `{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }`],
  ['search, many times', `{ ${list(100, (i) => `s${i}: searchUsers(query: "a") { nodes { id } }`)} }`],
  ['search of messages, many times', `{ ${list(100, (i) => `s${i}: searchMessages(query: "a") { nodes { id } }`)} }`],
]

describe.each(transports)('D7 over %s', (_name, ask) => {
  test.each(refused)('refuses %s, at once and every time', async (what, query) => {
    const started = performance.now()
    for (let n = 0; n < 12; n += 1) {
      const { data, errors } = await ask({ query })
      expect(data ?? null).toBeNull()
      expect(errors?.[0]?.extensions.code).toBe(what === 'literals in literals' ? 'BAD_INPUT' : 'OPERATION_REFUSED')
    }
    expect(performance.now() - started).toBeLessThan(6_000)
  })

  test('refuses an operation that costs too much by its variables, and runs it with others', async () => {
    const texts = Array.from({ length: 10 }, (_, i) => `t${i}: text`).join(' ')
    const query = `query Q($n: Int, $m: Int = 100) { conversations(first: $n) { nodes { messages(last: $m) { nodes { id seq kind ${texts} } } } } }`
    const [error] = (await ask({ query, variables: { n: 100 } })).errors ?? []
    expect(error?.extensions.code).toBe('OPERATION_REFUSED')
    expect(error?.message).toBe('The operation costs 140201, and the limit is 120000. Request less at once.')
    expect((await ask({ query, variables: { n: 100, m: 10 } })).data).toEqual({ conversations: { nodes: [] } })
  })

  test('runs what a screen needs: 100 conversations with 30 messages each', async () => {
    const message = `id seq text createdAt editedAt deletedAt version clientMessageId sender { id displayName } mentions { id }
      replyTo { id text sender { id } } reactions { emoji count viewerReacted } attachments { id url thumbhash }`
    const query = `{ conversations(first: 100) { nodes {
      id kind title lastActivityAt unreadCount unreadCountIsExact mentionCount viewerMembership { mutedUntil archivedAt role }
      otherUser { id displayName username avatar { url } } messages(last: 30) { pageInfo { hasPreviousPage } nodes { ${message} } } } } }`
    expect((await ask({ query })).data).toEqual({ conversations: { nodes: [] } })
  })

  test('invalid values cost little, and the error is short', async () => {
    const query = 'query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }'
    for (const ids of [Array.from({ length: 5_000 }, () => true), [{ x: 'y'.repeat(40_000) }], [[[['a']]]]]) {
      for (let n = 0; n < 12; n += 1) {
        const answer = await ask({ query, variables: { ids } })
        expect(answer.errors?.[0]?.extensions.code).toBe('BAD_INPUT')
        expect(JSON.stringify(answer).length).toBeLessThan(20_000)
      }
    }
    for (const name of ['Nobody', '', '__proto__', 'constructor']) {
      const { errors } = await ask({ query: 'query A { viewer { id } } query B { viewer { id } }', operationName: name })
      expect(errors?.[0]?.extensions.code).toBe('OPERATION_REFUSED')
    }
  })
})

test('errors have the right line and column, however much text lies between', async () => {
  const query = `# one\r\n\n  ,, query Q {\n # ü\n   conversation(id: "nonsense") { id }\n\t\u{feff}conversations(first: 1000) { nodes { id } } }`
  for (let n = 0; n < 13; n += 1) {
    const { errors } = (await overHttp({ query })) as unknown as { errors: { locations: unknown }[] }
    expect(errors.map(({ locations }) => locations)).toEqual(
      expect.arrayContaining([[{ line: 5, column: 4 }], [{ line: 6, column: 3 }]]),
    )
  }
  const { errors } = (await overHttp({ query: '{\n viewer {\n  id\n  nothing } }' })) as unknown as {
    errors: { locations: unknown }[]
  }
  expect(errors[0]?.locations).toEqual([{ line: 4, column: 3 }])
})

test('tools can read the whole schema', async () => {
  const query = getIntrospectionQuery({
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  })
  for (const [, ask] of transports) expect((await ask({ query })).data).toHaveProperty('__schema.types')
})

describe('the cost of an operation', () => {
  const query = 'query C($n: Int) { viewer { id } conversations(first: $n) { nodes { id } } }'

  for (const [transport, send] of [transports[0], transports[2]]) {
    test(`is in its answer if the request asks for it, over ${transport}`, async () => {
      const asked = (n: number) => send({ query, variables: { n }, extensions: { cost: true } })
      const [two, hundred] = [await asked(2), await asked(100)]
      expect(two.data).toBeTruthy()
      expect((hundred.extensions?.cost ?? 0) - (two.extensions?.cost ?? 0)).toBe(2 * 98)
      expect(await send({ query, variables: { n: 2 }, extensions: { cost: false } })).not.toHaveProperty('extensions.cost')
      expect(await send({ query, variables: { n: 2 } })).not.toHaveProperty('extensions.cost')
    })
  }
})

test('in production, errors do not suggest names from the schema, on any transport', async () => {
  const production = await openNode({
    NODE_ENV: 'production',
    DATABASE_URL: await createDatabase(),
    PARLEY_TOKEN_SECRET: 'a secret of at least 32 characters',
    PARLEY_LOG_LEVEL: 'silent',
  })
  const open = async (url: string, body: Body) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    return ((await answer.json()) as DocumentResult).errors?.map(({ message }) => message).join()
  }
  const misspelt: readonly (readonly [Body, string])[] = [
    [{ query: '{ viewr { id } }' }, 'Cannot query field "viewr" on type "Query".'],
    [{ query: '{ viewer { usrname } }' }, 'Cannot query field "usrname" on type "User".'],
    [{ query: '{ viewer { id(x: 1) } }' }, 'Unknown argument "x" on field "User.id".'],
    [
      {
        query:
          'mutation V($k: DeviceKind) { logIn(input: { username: "x", password: "y", deviceName: "z", deviceKind: $k }) { accessToken } }',
        variables: { k: 'PHONES' },
      },
      'Variable "$k" got invalid value "PHONES"; Value "PHONES" does not exist in "DeviceKind" enum.',
    ],
  ]
  for (const [body, message] of misspelt) expect(await open(production.url, body)).toBe(message)
  expect(await open(node.url, { query: '{ viewr { id } }' })).toContain('Did you mean "viewer"')
})
