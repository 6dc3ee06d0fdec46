// Signals of apps: who receives them on which node, and that a slow reader costs little.

import { print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { latestOf } from '../../src/presence/latest.ts'
import { BlockUser } from '../account/documents.ts'
import { openBackend } from '../platform/backend.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { LeaveConversation } from '../support/documents.ts'
import type { SignalsSubscription } from '../support/generated/graphql.ts'
import { type Node, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { SendSignal, Signals } from './documents.ts'

let here: Node
let there: Node
let ann: Device
let ben: Device
let cai: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[ann, ben, cai] = (await signUpAll(here, 'Ann', 'Ben', 'Cai')) as [Device, Device, Device]
})

const send = (by: Device, conversationId: string, kind: string, data: unknown = null) =>
  by.run(SendSignal, { input: { conversationId, kind, data } })

/** Follows the signals of a conversation, and waits until they arrive. */
async function watch(device: Device, conversationId: string, waker: Device = ann) {
  const seen: SignalsSubscription['signals'][] = []
  const codes: unknown[] = []
  let isOver = false
  device.socket().subscribe<SignalsSubscription>(
    { query: print(Signals), variables: { conversationId } },
    {
      next: ({ data, errors }) => {
        if (errors) codes.push(errors[0]?.extensions?.code)
        if (data && data.signals.kind !== 'ready') seen.push(data.signals)
        if (data?.signals.kind === 'ready') isReady = true
      },
      error: (error) => codes.push(error),
      complete: () => {
        isOver = true
      },
    },
  )
  let isReady = false
  const log = { seen, codes, isOver: () => isOver, kinds: () => seen.map(({ kind }) => kind) }
  if (waker.sessionId !== device.sessionId) {
    await until('the signals to arrive', async () => {
      if (!isReady && codes.length === 0) await send(waker, conversationId, 'ready')
      return isReady || codes.length > 0
    })
  }
  return log
}

test('reach all devices that watch, on every node, in order, but not the session that sent them', async () => {
  const group = await ann.group('Signals', ben)
  const annThere = await ann.another(there)
  const logs = [await watch(await ben.another(there), group), await watch(annThere, group)]
  const own = await watch(ann, group, ben)
  const sentBefore = own.kinds().length
  await send(ann, group, 'call.offer', { sdp: ['x', 1, null] })
  await send(ann, group, 'call.end')
  for (const log of logs) {
    await until('the signals', () => log.kinds().includes('call.end'))
    expect(log.seen.slice(-2)).toMatchObject([
      { conversationId: group, kind: 'call.offer', data: { sdp: ['x', 1, null] }, sender: { username: 'ann' } },
      { kind: 'call.end', data: null },
    ])
  }
  await send(ben, group, 'after')
  await until('the next signal', () => own.kinds().includes('after'))
  expect(own.kinds().slice(sentBefore)).toEqual(['after'])
})

test('D6 only members send and follow them, and leaving ends the subscription', async () => {
  const group = await ann.group('Members', ben)
  expect((await cai.refused(SendSignal, { input: { conversationId: group, kind: 'x' } })).extensions.code).toBe('NOT_FOUND')
  expect((await watch(cai, group)).codes).toEqual(['NOT_FOUND'])
  const log = await watch(ben, group)
  await ben.run(LeaveConversation, { input: { conversationId: group } })
  await until('the end', log.isOver)
  expect((await ben.refused(SendSignal, { input: { conversationId: group, kind: 'x' } })).extensions.code).toBe('NOT_FOUND')
  const direct = await ann.direct(cai)
  const closing = await watch(cai, direct)
  await cai.run(BlockUser, { input: { userId: ann.userId } })
  await until('the end', closing.isOver)
  expect((await ann.refused(SendSignal, { input: { conversationId: direct, kind: 'x' } })).extensions.code).toBe('FORBIDDEN')
})

test.each([
  ['kind', { kind: 'two words' }],
  ['kind', { kind: '' }],
  ['data', { kind: 'x', data: 'x'.repeat(1_023) }],
])('a wrong %s is BAD_INPUT', async (name, input) => {
  const group = await ann.group('Form')
  const { extensions } = await ann.refused(SendSignal, { input: { conversationId: group, ...input } })
  expect(extensions).toMatchObject({ code: 'BAD_INPUT', argument: `input.${name}` })
  await send(ann, group, 'x', 'x'.repeat(1_022))
})

test('a server key sends them on behalf of a user', async () => {
  const group = await ann.group('Key', ben)
  const log = await watch(ben, group)
  const backend = await openBackend(there, 'ACT')
  await backend.run(SendSignal, { input: { conversationId: group, kind: 'by.key' } }, ben.userId)
  await until('the signal', () => log.kinds().includes('by.key'))
})

test('D7 of more than 100 that wait for a slow reader, the newest stay, in order', async () => {
  let show: (value: { n: number }) => void = () => undefined
  const signals = latestOf<{ n: number }>(
    (signal) => signal,
    (shown) => {
      show = shown
      return () => undefined
    },
    100,
  )
  for (let n = 0; n < 250; n += 1) show({ n })
  const seen: number[] = []
  for await (const { n } of signals) if (seen.push(n) === 100) break
  expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => 150 + i))
})
