// Traces with OpenTelemetry: what an operator sees of an operation on several nodes, with the SDK of their choice.

import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import type { Device } from '../support/device.ts'
import { SendMessage } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { closeAtEnd, type Environment } from '../support/node.ts'
import { tracedIn } from '../support/programs.ts'
import type { RecordedSpan } from '../support/record-spans.ts'
import { at, endings, logIn, Parley, type ServerAddress, sharedEnvironment, until } from './parley.ts'

let environment: Environment
let files: { readonly here: string; readonly there: string }
let here: ServerAddress
let alice: Device
let bobs: EventLog
let conversationId: string

/** Alice is at one node and Bob at another. */
beforeAll(async () => {
  environment = await sharedEnvironment()
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-traces-'))
  closeAtEnd(() => rm(directory, { recursive: true, force: true }))
  files = { here: path.join(directory, 'here'), there: path.join(directory, 'there') }
  const start = (file: string) => new Parley({ ...environment, ...tracedIn(file) }, closeAtEnd).ready()
  here = await start(files.here)
  const there = await start(files.there)
  alice = await logIn(here, 'alice')
  const bob = await logIn(there, 'bob')
  conversationId = await alice.group('Traces', bob)
  bobs = await bob.events().live()
})

/** The spans of both nodes in the trace of the last operation of this name with this code, once the wanted ones are there. */
async function traceOf(operation: string, wantedThere: readonly string[], code = 'OK') {
  const read = async (file: string) => {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as RecordedSpan)
  }
  let found = { operation: undefined as RecordedSpan | undefined, here: [] as RecordedSpan[], there: [] as RecordedSpan[] }
  await until(`the trace of ${operation}`, async () => {
    const spans = { here: await read(files.here), there: await read(files.there) }
    const root = spans.here.findLast(({ name, attributes }) => name === operation && attributes['parley.code'] === code)
    const inTrace = ({ traceId }: RecordedSpan) => traceId === root?.traceId
    found = { operation: root, here: spans.here.filter(inTrace), there: spans.there.filter(inTrace) }
    return root !== undefined && wantedThere.every((name) => found.there.some((span) => span.name === name))
  })
  const root = found.operation
  if (!root) throw new Error(`there is no ${operation}`)
  return { ...found, operation: root }
}

const namesOf = (spans: readonly RecordedSpan[]) => spans.map(({ name }) => name)

test('a send is one trace from its operation to its delivery on another node, below the span of the caller', async () => {
  const [traceId, callerId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
  const response = await fetch(here.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${alice.accessToken}`,
      traceparent: `00-${traceId}-${callerId}-01`,
    },
    body: JSON.stringify({
      query: print(SendMessage),
      variables: { input: { conversationId, clientMessageId: randomUUID(), text: 'traced' } },
    }),
  })
  expect(response.status).toBe(200)
  await bobs.text('traced')
  const trace = await traceOf('mutation sendMessage', ['deliver'])
  expect(trace.operation).toMatchObject({ traceId, parentId: callerId, attributes: { 'parley.code': 'OK' } })
  expect(trace.operation.attributes['parley.request_id']).toBe(response.headers.get('x-request-id'))
  expect(namesOf(trace.here)).toEqual(['wait for the lane', 'append and flush', 'follow', 'publish', 'mutation sendMessage'])
  expect(namesOf(trace.there)).toEqual(['follow', 'deliver'])

  const [wait, append, followHere, publish] = trace.here
  const [follow, deliver] = trace.there
  for (const span of [wait, append, publish, followHere, follow]) expect(span?.parentId).toBe(trace.operation.spanId)
  expect(deliver?.parentId).toBe(follow?.spanId)
  expect(append?.attributes).toEqual({ 'parley.batch_size': 1 })
  const times = [trace.operation.startedAt, wait?.startedAt, append?.startedAt, append?.endedAt, publish?.endedAt]
  expect(times).toEqual(times.toSorted((a, b) => Number(a) - Number(b)))
})

test('a rare write is one trace to its delivery on another node', async () => {
  await alice.group('A new one', await logIn(here, 'bob'))
  await bobs.until('the group', ({ seen }) => seen.some((event) => event.__typename === 'ConversationAdded'))
  const trace = await traceOf('mutation createGroup', ['deliver'])
  expect(new Set(namesOf(trace.here))).toEqual(new Set(['flush', 'follow', 'publish', 'mutation createGroup']))
  expect(new Set(namesOf(trace.there))).toEqual(new Set(['follow', 'deliver']))
})

test('a failed operation is marked, with its code', async () => {
  const unknown = conversationId.replace(/.$/, 'z')
  const { extensions } = await alice.refused(SendMessage, {
    input: { conversationId: unknown, clientMessageId: randomUUID(), text: 'nowhere' },
  })
  expect(extensions.code).toBe('NOT_FOUND')
  expect(namesOf((await traceOf('mutation sendMessage', [], 'NOT_FOUND')).here)).not.toContain('follow')
})

test('spans hold no text, token or name', async () => {
  const spans = (await readFile(files.here, 'utf8')) + (await readFile(files.there, 'utf8'))
  for (const secret of ['traced"', 'alice', 'A new one', alice.accessToken, 'password']) expect(spans).not.toContain(secret)
})

test('without an SDK a node says that nothing is recorded, and serves', async () => {
  const node = new Parley({ ...environment, PARLEY_TRACES: 'true' })
  const server = await node.ready()
  expect(node.complaints.join()).toContain('no OpenTelemetry SDK is loaded')
  const device = await logIn(server, 'alice')
  const log = await device.events().live()
  device.node = at(server)
  await device.send(conversationId, 'without traces')
  await log.text('without traces')
})

test('without the package a node does not start, and says why', async () => {
  const hook = `export const resolve = async (name, context, next) => {
    if (name === '@opentelemetry/api') throw new Error('it is not there')
    return next(name, context)
  }`
  const moduleOf = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`
  const preload = moduleOf(`import { register } from 'node:module'; register(${JSON.stringify(moduleOf(hook))})`)
  const node = new Parley({ ...environment, PARLEY_TRACES: 'true', NODE_OPTIONS: `--import ${preload}` })
  expect(await node.ended()).toEqual(endings.failed)
  expect(node.stderr).toContain('the package @opentelemetry/api is not installed')
})
