// Two nodes on one Postgres and a Redis Cluster of three masters with a replica each: everything that goes over Redis works, also after
// a master was killed and its replica has taken over. And three masters without replicas: one that does not answer holds up nothing.

import { expect, test } from 'vitest'
import { LookAtPeople } from '../presence/documents.ts'
import { connectDevice } from '../presence/watch.ts'
import { type Device, logIn, signUpAll } from '../support/device.ts'
import { SetTyping } from '../support/documents.ts'
import { closeAtEnd, createDatabase, openNode } from '../support/node.ts'
import { RedisClusterProcesses } from '../support/redis-cluster.ts'
import { watchTyping } from '../support/typing.ts'
import { until } from '../support/until.ts'

async function openCluster(...size: Parameters<typeof RedisClusterProcesses.start>): Promise<RedisClusterProcesses> {
  const cluster = await RedisClusterProcesses.start(...size)
  closeAtEnd(() => cluster.stop())
  return cluster
}

/** Two nodes on a cluster, with a user on each. */
async function openOn(cluster: RedisClusterProcesses, follow: string) {
  const shared = {
    ...cluster.environment,
    DATABASE_URL: await createDatabase(),
    PARLEY_FOLLOW: follow,
    PARLEY_LOG_LEVEL: 'silent',
  }
  const [here, there] = [await openNode(shared), await openNode(shared)]
  const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  bob.node = there
  return { here, there, alice, bob }
}

test.each(['full', 'digest'])(
  'P1 D3 A12 nodes on a Redis Cluster, with PARLEY_FOLLOW=%s',
  { timeout: 120_000 },
  async (follow) => {
    const cluster = await openCluster(3, 1)
    const { here, there, alice, bob } = await openOn(cluster, follow)
    const id = await alice.direct(bob)
    const stream = await bob.events().live()
    const typing = watchTyping(bob, id)
    await typing.shows('')
    const presence = async () => {
      const [user] = (await bob.run(LookAtPeople, { ids: [alice.userId] })).nodes
      return user && 'presence' in user ? user.presence?.state : null
    }
    const connected = await connectDevice(alice)
    const all = async (round: string) => {
      const texts = Array.from({ length: 20 }, (_, i) => `${round} ${i}`)
      for (const text of texts) await alice.send(id, text)
      await stream.text(texts.at(-1) ?? '')
      expect(stream.texts.filter((text) => text.startsWith(round))).toEqual(texts)
      await until('alice to be there', async () => (await presence()) === 'ONLINE', 30_000)
      await until(
        'typing',
        async () => {
          await alice.run(SetTyping, { input: { conversationId: id, typing: true } })
          return typing.states.at(-1) === 'alice'
        },
        30_000,
      )
      await alice.run(SetTyping, { input: { conversationId: id, typing: false } })
      await until('both nodes to be known', async () => (await there.app.nodes.nodes()).length === 2, 30_000)
    }
    await all('at first')
    const [master] = await cluster.masters()
    await master?.kill()
    await until(
      'the replica to take over',
      async () => {
        const state = await Promise.all(
          cluster.servers.filter((server) => server !== master).map(async ({ admin }) => String(await admin.cluster('INFO'))),
        )
        return state.every((info) => /cluster_state:ok/.test(info))
      },
      30_000,
    )
    await all('after the failover')
    master?.restart()
    await cluster.whole()
    await all('whole again')
    expect(stream.errors).toEqual([])
    expect(stream.ended).toBeNull()
    expect([here, there].map(({ app }) => app.bus.malformed() + app.bus.refused())).toEqual([0, 0])
    connected.close()
    expect((await logIn(there, alice.username)).userId).toBe(alice.userId)
  },
)

/** Longer than every limit of a node's connections to Redis: see heartbeat.ts and redis-connection.ts. */
const frozenMs = 3_000
/** How long a send, and a delivery to another node, may take meanwhile. Postgres is looked at every 250 ms; the rest is for a busy machine. */
const boundMs = 5_000

test.each(['full', 'digest'])(
  'D1 D3 A12 a master of a Redis Cluster that does not answer holds up neither sends nor deliveries, with PARLEY_FOLLOW=%s',
  { timeout: 120_000 },
  async (follow) => {
    const cluster = await openCluster(3)
    // Otherwise the other masters refuse everything, too.
    for (const { admin } of cluster.servers) await admin.config('SET', 'cluster-require-full-coverage', 'no')
    const { here, there, alice, bob } = await openOn(cluster, follow)
    // Their parcels lie in different slots.
    const groups: string[] = []
    for (let i = 0; i < 6; i += 1) groups.push(await alice.group(`Group ${i}`, bob))
    const stream = await bob.events().live()
    const [sends, deliveries]: [number[], number[]] = [[], []]
    const texts: string[] = []
    const exchange = async (text: string) => {
      const begun = performance.now()
      await alice.send(groups[texts.length % groups.length] ?? '', text)
      sends.push(performance.now() - begun)
      texts.push(text)
      await stream.text(text)
      deliveries.push(performance.now() - begun)
    }
    // Each in turn, so one of them has the topic on which the sending node publishes, and the others do not.
    for (const master of await cluster.masters()) {
      await exchange(`before ${master.port}`)
      master.freeze()
      const thawAt = performance.now() + frozenMs
      while (performance.now() < thawAt) await exchange(`frozen ${master.port} ${texts.length}`)
      master.thaw()
      await cluster.whole()
      await exchange(`after ${master.port}`)
    }
    expect(stream.texts).toEqual(texts)
    expect(Math.max(...sends)).toBeLessThan(boundMs)
    expect(Math.max(...deliveries)).toBeLessThan(boundMs)
    expect(stream.errors).toEqual([])
    expect(stream.ended).toBeNull()
    expect([here, there].map(({ app }) => app.bus.malformed() + app.bus.refused())).toEqual([0, 0])
  },
)
