// Persisted operations: documents by their id, on both transports, and nothing else where the server says so.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { Viewer } from '../support/documents.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'

const id = 'a'.repeat(40)
const manifest = {
  [id]: 'query Name { viewer { username } }',
  events: 'subscription Follow { events { __typename } }',
}
const directory = await mkdtemp(path.join(tmpdir(), 'parley-persisted-'))
closeAtEnd(() => rm(directory, { recursive: true }))
const file = path.join(directory, 'persisted-documents.json')

let open: Node
let only: Node
let ann: Device
let ben: Device
beforeAll(async () => {
  await writeFile(file, JSON.stringify(manifest))
  open = await openNode({ PARLEY_PERSISTED_OPERATIONS: file })
  ;[ann] = (await signUpAll(open, 'Ann')) as [Device]
  ;[ben] = (await signUpAll(open, 'Ben')) as [Device]
  only = await openNode({
    DATABASE_URL: open.databaseUrl,
    PARLEY_PERSISTED_OPERATIONS: file,
    PARLEY_PERSISTED_OPERATIONS_MODE: 'only',
  })
})

type Answer = { data?: unknown; errors?: { message: string; extensions: { code: string } }[] }
const ask = async (node: Node, body: object): Promise<Answer> => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${ann.accessToken}` }
  return (await (await fetch(node.url, { method: 'POST', headers, body: JSON.stringify(body) })).json()) as Answer
}
const byHash = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } })

/** Sends an operation over a WebSocket. @returns its first result, or the errors with which it was refused */
const askOverSocket = (node: Node, operation: Record<string, unknown>): Promise<unknown> => {
  ben.node = node
  const socket = ben.socket()
  return new Promise((resolve) => {
    socket.subscribe({ query: '', ...operation }, { next: resolve, error: resolve, complete: () => undefined })
  })
}

test('a document is named by its id, as documentId or as a persisted query, over HTTP and WebSockets', async () => {
  for (const node of [open, only]) {
    for (const body of [{ documentId: id }, { documentId: `sha256:${id}` }, byHash(id), { ...byHash(id), query: '' }]) {
      expect(await ask(node, body)).toMatchObject({ data: { viewer: { username: 'ann' } } })
      expect(await askOverSocket(node, body)).toMatchObject({ data: { viewer: { username: 'ben' } } })
    }
    expect(await askOverSocket(node, { documentId: 'events' })).toMatchObject({ data: { events: { __typename: 'SyncStarted' } } })
  }
})

test('an id that the manifest lacks is answered so that the client sends the document', async () => {
  const refused = [{ message: 'PersistedQueryNotSupported', extensions: { code: 'OPERATION_REFUSED' } }]
  for (const body of [byHash('b'.repeat(64)), { documentId: 'unknown' }]) {
    expect(await ask(open, body)).toMatchObject({ errors: refused })
    expect(await askOverSocket(open, body)).toMatchObject(refused)
    expect(await ask(open, { ...body, query: '{ viewer { username } }' })).toMatchObject({
      data: { viewer: { username: 'ann' } },
    })
  }
})

test('a server that runs persisted operations only refuses every other document', async () => {
  const refused = [{ message: expect.stringContaining('persisted operations only'), extensions: { code: 'OPERATION_REFUSED' } }]
  for (const body of [
    { query: '{ __typename }' },
    { documentId: 'unknown' },
    byHash('b'.repeat(64)),
    { ...byHash('c'), query: '{ __typename }' },
  ]) {
    expect(await ask(only, body)).toMatchObject({ errors: refused })
    expect(await askOverSocket(only, body)).toMatchObject(refused)
  }
  const { errors } = await request(only.url, Viewer, {}, ann.accessToken)
  expect(errors).toMatchObject(refused)
})

test('a manifest that cannot be read is an error of the configuration', async () => {
  const wrong = path.join(directory, 'wrong.json')
  await writeFile(wrong, '[1]')
  const read = (environment: Record<string, string>) => () => readConfig(environment)
  expect(read({ PARLEY_PERSISTED_OPERATIONS: path.join(directory, 'missing.json') })).toThrow(
    /PARLEY_PERSISTED_OPERATIONS: .*does not exist/,
  )
  expect(read({ PARLEY_PERSISTED_OPERATIONS: wrong })).toThrow(/is not a JSON object/)
  expect(read({ PARLEY_PERSISTED_OPERATIONS_MODE: 'only' })).toThrow(/PARLEY_PERSISTED_OPERATIONS must be set/)
})
