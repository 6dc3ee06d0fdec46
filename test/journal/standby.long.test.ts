// Between the unlock and the flush (B1): a Postgres that waits for an absent standby delays every flush for as long as the test
// wants. Meanwhile appends are visible and unlocked, and nobody receives them.

import { randomUUID } from 'node:crypto'
import { expect, inject, test } from 'vitest'
import { at, endings, logIn, Parley, type ServerAddress } from '../process/parley.ts'
import { Cluster } from '../support/cluster.ts'
import { AddMembers, SendMessage, Snapshot } from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { positionOf } from './pair.ts'
import { eventually } from './setup.ts'

const limit = 90_000

/** Whether a promise has settled, without waiting for it. */
function watched<T>(promise: Promise<T>): { readonly promise: Promise<T>; isOver: boolean } {
  const state = { promise, isOver: false }
  const over = () => {
    state.isOver = true
  }
  promise.then(over, over)
  return state
}

/** Makes every flush wait for a standby with this name; an empty name turns it off. */
async function waitForStandby(cluster: Cluster, name: string): Promise<void> {
  await cluster.query(`alter system set synchronous_standby_names = '${name}'`)
  await cluster.query('select pg_reload_conf()')
  const setting = `select current_setting('synchronous_standby_names') as name`
  await eventually('the setting', async () => (await cluster.query<{ name: string }>(setting)).name === name)
}

/** The statements of nodes that wait for the standby. */
const waitingFor = async (cluster: Cluster, statement: string) => {
  const text = `select count(*)::int as n from pg_stat_activity where wait_event = 'SyncRep' and query like $1`
  return (await cluster.query<{ n: number }>(text, [`${statement}%`])).n
}

test(
  'B1 D1 D2 D4 the flush waits for the standby, without the lock; a node killed before it loses nothing, and a repeat elsewhere gets the same message once',
  async () => {
    const cluster = await Cluster.create()
    const environment = {
      PORT: '0',
      PARLEY_DATA_DIR: '/dev/null/none',
      DATABASE_URL: cluster.url,
      REDIS_URL: inject('redisUrl'),
      PARLEY_TOKEN_SECRET: 'the token secret of all of the processes',
      PARLEY_SEED: 'true',
    }
    const lasting: ServerAddress = await new Parley(environment, closeAtEnd).ready()
    const doomed = new Parley(environment, closeAtEnd)
    const server = await doomed.ready()
    const [alice, bob, carol] = [await logIn(server, 'alice'), await logIn(lasting, 'bob'), await logIn(lasting, 'carol')]
    const owner = await logIn(lasting, 'alice')
    const conversationId = await alice.group('The two of us', bob)
    const stream = await bob.events().live()
    await alice.send(conversationId, 'before')
    await stream.text('before')

    await waitForStandby(cluster, 'nobody')
    const send = { conversationId, clientMessageId: randomUUID(), text: 'the one' }
    const answer = watched(alice.run(SendMessage, { input: send }).catch(() => null))
    const stored = async () => {
      const text = `select (select count(*) from message where text = 'the one')::int as messages, max(position)::int as head from fact`
      return cluster.query<{ messages: number; head: number }>(text)
    }
    await eventually('the message to be visible', async () => (await stored()).messages === 1)
    const { head } = await stored()
    await eventually('its flush to wait', async () => (await waitingFor(cluster, 'call journal_send_batch')) === 1)
    // The lock is free, although nothing is flushed.
    const free = 'select pg_try_advisory_lock(7021, 1) as is_free'
    expect(await cluster.query(free)).toEqual({ is_free: true })
    // The other node has seen that there is more, and waits for the flush; so does a snapshot there.
    await eventually('a follower to wait', async () => (await waitingFor(cluster, 'call journal_flush')) > 0)
    const snapshot = watched(carol.run(Snapshot, {}))
    await eventually('a snapshot to wait', async () => (await waitingFor(cluster, 'call journal_flush')) > 1)
    expect([answer.isOver, snapshot.isOver, stream.texts]).toEqual([false, false, ['before']])

    // A rare write waits as well, committed and without the lock.
    const adding = watched(owner.run(AddMembers, { input: { conversationId, userIds: [carol.userId] } }))
    await eventually('the rare write to be visible', async () => (await stored()).head > head)
    expect(adding.isOver).toBe(false)

    doomed.kill('SIGKILL')
    expect(await doomed.ended()).toEqual(endings.killed)
    expect(await answer.promise).toBeNull()
    alice.node = at(lasting)
    const repeat = watched(alice.run(SendMessage, { input: send }))
    await eventually('the repeat to wait', async () => (await waitingFor(cluster, 'call journal_send_batch')) > 1)
    expect([repeat.isOver, snapshot.isOver, stream.texts]).toEqual([false, false, ['before']])

    await waitForStandby(cluster, '')
    await adding.promise
    const { message } = (await repeat.promise).sendMessage
    expect((await snapshot.promise.then(({ syncCursor }) => positionOf(syncCursor))) >= head).toBe(true)
    expect((await alice.send(conversationId, send.text, send.clientMessageId)).message.id).toBe(message.id)
    await alice.send(conversationId, 'after')
    await stream.text('after')
    expect(stream.texts).toEqual(['before', 'the one', 'after'])
    expect((await stored()).messages).toBe(1)
  },
  limit,
)
