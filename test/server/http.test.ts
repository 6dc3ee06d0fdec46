// HTTP: malformed, oversized and foreign requests get clear answers that say how to do it right, and harm nobody.

import { getIntrospectionQuery } from 'graphql'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, type Node, openNode } from '../support/node.ts'

let node: Node
let alice: Device
beforeAll(async () => {
  node = await openNode({ PARLEY_ALLOWED_ORIGINS: 'https://chat.example.com,https://two.example.com' })
  ;[alice] = (await signUpAll(node, 'Alice')) as [Device]
})

describe('HTTP', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(node.url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
  const codeOf = async (response: Response) =>
    ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code

  test('accepts JSON alone: forms, which other sites may send without asking, are refused', async () => {
    const query = 'mutation { logOut { sessionId } }'
    for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain']) {
      expect((await post(`query=${encodeURIComponent(query)}`, { 'content-type': type })).status).toBe(415)
    }
    const get = await fetch(`${node.url}?query=${encodeURIComponent(query)}`, {
      headers: { authorization: `Bearer ${alice.accessToken}` },
    })
    expect(get.status).toBe(405)
  })

  test('refuses requests that are no operation, too large or too deep, and continues', async () => {
    for (const body of ['rubbish', '{}', '[]', '{"query":7}', '', '{"query":"{ nothing }"}'])
      expect(await codeOf(await post(body))).toBe('OPERATION_REFUSED')
    expect(await codeOf(await post(JSON.stringify({ query: '{ viewer {' })))).toBe('OPERATION_REFUSED')
    const deep = `{ ${'viewer { '.repeat(5_000)} id ${'}'.repeat(5_000)} }`
    expect(await codeOf(await post(JSON.stringify({ query: deep })))).toBe('OPERATION_REFUSED')
    expect((await post(JSON.stringify({ query: `{ viewer { id } } #${'x'.repeat(300_000)}` }))).status).toBe(413)
    const costly =
      'query Q($n: Int) { conversations(first: $n) { nodes { messages(first: $n) { nodes { conversation { members(first: $n) { nodes { id } } } } } } } }'
    const headers = { authorization: `Bearer ${alice.accessToken}` }
    expect(await codeOf(await post(JSON.stringify({ query: costly, variables: { n: 100 } }), headers))).toBe('OPERATION_REFUSED')
    const wide = 'query Q($n: Int) { conversations(first: $n) { nodes { id } } }'
    expect(await codeOf(await post(JSON.stringify({ query: wide, variables: { n: 1_000_000 } }), headers))).toBe('BAD_INPUT')
    expect((await post(JSON.stringify({ query: getIntrospectionQuery() }))).status).toBe(200)
  })

  test('answers only listed origins with CORS headers', async () => {
    const allowed = async (origin: string) =>
      (await post('{"query":"{ __typename }"}', { origin })).headers.get('access-control-allow-origin')
    expect(await allowed('https://chat.example.com')).toBe('https://chat.example.com')
    expect(await allowed('https://two.example.com')).toBe('https://two.example.com')
    for (const origin of ['https://evil.example.com', 'null', 'https://chat.example.com.evil.example.com']) {
      expect(await allowed(origin)).toBeNull()
    }
  })

  test('gives each answer the id of its request, and masks unexpected errors', async () => {
    const response = await post('{"query":"{ __typename }"}')
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('keeps a well-formed request id, and makes a new one otherwise', async () => {
    const idOf = async (id: string) =>
      (await post('{"query":"{ __typename }"}', { 'x-request-id': id })).headers.get('x-request-id')
    expect(await idOf('proxy-1:4f/9=')).toBe('proxy-1:4f/9=')
    for (const id of ['with space', 'x'.repeat(129), '{"a":1}']) expect(await idOf(id)).toMatch(/^[0-9a-f-]{36}$/)
  })

  const preflight = (origin: string) =>
    fetch(node.url, { method: 'OPTIONS', headers: { origin, 'access-control-request-headers': 'authorization,x-mine' } })
  const events = '{"query":"subscription { events { cursor } }"}'
  const sse = { accept: 'text/event-stream' }

  test('forbids caching, and lets pages of listed origins read the request id', async () => {
    const own = { authorization: `Bearer ${alice.accessToken}`, origin: 'https://chat.example.com' }
    const answers = [
      await post('{"query":"{ viewer { id } }"}', own),
      await post('{"query":"{ nothing }"}', own),
      await post('{"query":"{', own),
      await post(events, { ...own, ...sse }),
      await post(events, { ...own, accept: 'application/json' }),
      await post('x'.repeat(300_000), own),
      await post('{}', { ...own, 'content-type': 'text/plain' }),
      await fetch(node.url, { method: 'PUT', headers: own }),
      await preflight('https://chat.example.com'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200, 406, 413, 415, 405, 204])
    expect(answers[7]?.headers.get('allow')).toContain('POST')
    for (const { headers, body } of answers) {
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('vary')).toMatch(/^Origin/)
      expect(headers.get('access-control-allow-origin')).toBe('https://chat.example.com')
      expect(headers.get('access-control-expose-headers')).toBe('x-request-id, retry-after')
      await body?.cancel()
    }
    expect(answers.at(-1)?.headers.get('access-control-allow-headers')).toBe('authorization,x-mine')
    const foreign = await post('{"query":"{ __typename }"}', { origin: 'https://evil.example.com' })
    expect(foreign.headers.get('vary')).toBe('Origin')
    expect(foreign.headers.get('access-control-expose-headers')).toBeNull()
  })

  const refusalIn = async (response: Response) => {
    const { errors } = (await response.json()) as { errors: { message: string; extensions: object }[] }
    expect(errors[0]?.extensions).toEqual({ code: 'OPERATION_REFUSED', retryable: false })
    return `${response.status} ${errors[0]?.message}`
  }

  test('says what is expected when a client tries something else', async () => {
    const own = { authorization: `Bearer ${alice.accessToken}` }
    for (const accept of ['application/json', 'multipart/mixed', 'multipart/mixed;boundary="graphql", application/json']) {
      expect(await refusalIn(await post(events, { ...own, accept }))).toMatch(/^406 .*text\/event-stream.*graphql-transport-ws/)
    }
    expect(await refusalIn(await post('{"query":"{ __typename }"}', { accept: 'text/html' }))).toMatch(/^406 .*application\/json/)
    const hash = { extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } }
    expect(await refusalIn(await post(JSON.stringify(hash)))).toBe('200 PersistedQueryNotSupported')
    const asked = `${node.url}?extensions=${encodeURIComponent(JSON.stringify(hash.extensions))}`
    expect(await refusalIn(await fetch(asked))).toBe('200 PersistedQueryNotSupported')
    const both = await post(JSON.stringify({ ...hash, query: '{ __typename }' }))
    expect(await both.json()).toMatchObject({ data: { __typename: 'Query' } })
    expect(await refusalIn(await post('[{"query":"{ __typename }"}]'))).toMatch(/^400 .*one operation per request/)
    for (const type of ['text/plain', 'application/graphql', 'application/json-patch+json', 'multipart/form-data; boundary=x']) {
      expect(await refusalIn(await post('{}', { 'content-type': type }))).toMatch(/^415 .*application\/json/)
    }
    expect(await refusalIn(await post('{}', { 'content-encoding': 'gzip' }))).toMatch(/^415 .*content-encoding/)
    expect(await refusalIn(await preflight('https://evil.example.com'))).toMatch(/^403 .*PARLEY_ALLOWED_ORIGINS/)
    expect(await (await fetch(new URL('/nowhere', node.url))).text()).toContain('/graphql')
  })

  test('answers a refused event stream with the status of its errors', async () => {
    for (const query of ['subscription { nothing }', 'subscription { events { cursor } }', '{']) {
      const text = await (await post(JSON.stringify({ query }), sse)).text()
      expect(text).toContain('"code":')
      expect(text).not.toContain('"http"')
    }
  })

  test('an operation may ask for the same node several times', async () => {
    const query = `{ one: node(id: "${alice.userId}") { id } two: node(id: "${alice.userId}") { __typename } }`
    const answer = await post(JSON.stringify({ query }), { authorization: `Bearer ${alice.accessToken}` })
    expect(await answer.json()).toMatchObject({ data: { one: { id: alice.userId }, two: { __typename: 'User' } } })
  })

  test('node and nodes are null for invalid ids, and complete for the others', async () => {
    const garbage = ['garbage', '', 'usr_1', 'usr_zzzzzzzzzzzzz', 'abc_0000000000001', 'mbr_0000000000001', '__proto__']
    const foreign = ['cnv_0000000000099', 'mbr_0000000000001_0000000000001', 'ses_0000000000099']
    const ids = [alice.userId, ...garbage, alice.userId, ...foreign]
    const nothing = (list: readonly string[]) => list.map(() => null)
    const ask = async (query: string, variables: object, token = alice.accessToken) => {
      const response = await post(JSON.stringify({ query, variables }), { authorization: `Bearer ${token}` })
      return (await response.json()) as { data: unknown; errors?: { extensions: { code: string; argument?: string } }[] }
    }
    const many = 'query N($ids: [ID!]!) { nodes(ids: $ids) { id } }'
    const it = { id: alice.userId }
    for (let i = 0; i < 12; i += 1) {
      const nodes = [it, ...nothing(garbage), it, ...nothing(foreign)] // compiled, too
      expect(await ask(many, { ids })).toMatchObject({ data: { nodes } })
    }
    for (const id of [...garbage, ...foreign]) {
      expect(await ask('query N($id: ID!) { node(id: $id) { id } }', { id })).toMatchObject({ data: { node: null } })
    }
    expect((await ask(many, { ids: ['garbage'] }, 'x')).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED')
    const tooMany = await ask(many, { ids: Array(101).fill(alice.userId) })
    expect(tooMany.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'ids' })
    for (const id of garbage) {
      const { errors } = await ask('query C($id: ID!) { conversation(id: $id) { id } }', { id })
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'id' })
    }
  })

  test('is not ready while its database is read-only, and is ready again afterwards', async () => {
    const other = await openNode()
    const sql = await connect(other.databaseUrl)
    const name = new URL(other.databaseUrl).pathname.slice(1)
    const set = async (value: string) => {
      await sql.query('set transaction_read_only = off')
      await sql.query(`alter database ${name} set default_transaction_read_only = ${value}`)
      await sql.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
    }
    const ready = () => fetch(new URL('/health/ready?x', other.url)).then(async (answer) => [answer.status, await answer.text()])
    expect(await ready()).toEqual([200, 'ok\n'])
    await set('on')
    await vi.waitFor(async () => expect(await ready()).toEqual([503, 'not ready: Postgres accepts no writes\n']), {
      timeout: 10_000,
    })
    await set('off')
    await vi.waitFor(async () => expect(await ready()).toEqual([200, 'ok\n']), { timeout: 10_000 })
  })

  test('tells a load balancer that it is alive and ready', async () => {
    for (const path of ['/health', '/health/live', '/health/ready', '/health/ready?probe=1', '/health/live/?x', '/health?x']) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await fetch(new URL(path, node.url), { method })
        expect([path, answer.status, await answer.text()]).toEqual([path, 200, method === 'GET' ? 'ok\n' : ''])
      }
    }
    expect((await fetch(new URL('/health/ready', node.url), { method: 'POST' })).status).toBe(405)
    expect((await fetch(new URL('/nowhere', node.url))).status).toBe(404)
  })
})
