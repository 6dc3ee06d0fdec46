// Two nodes on one Postgres and a Redis Cluster of three masters with a replica each: everything that goes over Redis works, also after
// a master was killed and its replica has taken over.

import { expect, test } from 'vitest'
import { LookAtPeople } from '../presence/documents.ts'
import { connectDevice } from '../presence/watch.ts'
import { type Device, logIn, signUpAll } from '../support/device.ts'
import { SetTyping } from '../support/documents.ts'
import { closeAtEnd, createDatabase, openNode } from '../support/node.ts'
import { RedisClusterProcesses } from '../support/redis-cluster.ts'
import { watchTyping } from '../support/typing.ts'
import { until } from '../support/until.ts'

test.each(['full', 'digest'])(
  'P1 D3 A12 nodes on a Redis Cluster, with PARLEY_FOLLOW=%s',
  { timeout: 120_000 },
  async (follow) => {
    const cluster = await RedisClusterProcesses.start(3, 1)
    closeAtEnd(() => cluster.stop())
    const shared = {
      ...cluster.environment,
      DATABASE_URL: await createDatabase(),
      PARLEY_FOLLOW: follow,
      PARLEY_LOG_LEVEL: 'silent',
    }
    const [here, there] = [await openNode(shared), await openNode(shared)]
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    bob.node = there
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
