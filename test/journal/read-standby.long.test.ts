// History, search and lists from a streaming standby: never older than what the node had seen, and from the primary if the standby is
// late or gone.

import { expect, test } from 'vitest'
import { migrate } from '../../src/store/migrate.ts'
import { DirectState } from '../account/documents.ts'
import { silent } from '../support/bus.ts'
import { Cluster } from '../support/cluster.ts'
import { signUpAll } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

test('D4 B1 a standby serves history once it has replayed what the node has seen; late or gone, the primary answers', {
  timeout: 120_000,
}, async () => {
  const primary = await Cluster.create()
  await migrate(primary.url, silent)
  await primary.stop()
  const standby = await primary.copy()
  await primary.start()
  await standby.follow(primary)
  const node = await openNode({ DATABASE_URL: primary.url, DATABASE_READ_URL: standby.url, PARLEY_LOG_LEVEL: 'silent' })
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody signed up')
  const id = await alice.direct(bob)
  const last = async () => (await bob.run(DirectState, { id })).conversation?.messages.nodes?.at(-1)?.text
  const { counts } = node.app.standby

  for (let i = 0; i < 30; i += 1) {
    await alice.send(id, `message ${i}`)
    expect(await last()).toBe(`message ${i}`)
  }
  expect(counts().standby).toBeGreaterThan(10)

  // A standby that does not replay is waited for, and then the primary answers.
  await standby.query('select pg_wal_replay_pause()')
  await alice.send(id, 'paused')
  const before = counts()
  const begun = performance.now()
  expect(await last()).toBe('paused')
  expect(performance.now() - begun).toBeGreaterThan(90)
  expect(counts()).toEqual({ ...before, primary: before.primary + 1 })
  await standby.query('select pg_wal_replay_resume()')
  await until('the standby to serve again', async () => {
    await last()
    return counts().standby > before.standby
  })

  await standby.stop()
  expect(await last()).toBe('paused')
  await alice.send(id, 'alone')
  expect(await last()).toBe('alone')
})
