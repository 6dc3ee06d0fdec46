// Presence of very many devices.

import { expect, test } from 'vitest'
import { TestClock } from '../support/clock.ts'
import { type Device, signUp } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import { befriend } from './befriend.ts'
import { Heartbeat, LookAtPeople } from './documents.ts'

const statesOf = async (viewer: Device, people: readonly Device[]) =>
  (await viewer.run(LookAtPeople, { ids: people.map(({ userId }) => userId) })).nodes.map((node) =>
    node && 'presence' in node ? node.presence?.state : null,
  )

// A node looks at a part of its devices at a time. A device whose user does nothing gives it no reason to look.
test('P1 of very many devices, each becomes idle five minutes after its last use', async () => {
  const clock = new TestClock()
  const node = await openNode({ PARLEY_PRESENCE_TTL_S: '600' }, clock)
  const star = await signUp(node, 'Star')
  const fans = await befriend(star, [node], 1_200)
  // All at once, a busy machine is too slow for the connections.
  for (let from = 0; from < fans.length; from += 100)
    await Promise.all(fans.slice(from, from + 100).map((fan) => fan.run(Heartbeat, { input: { idle: false } })))
  const count = async (state: string) => {
    let found = 0
    for (let from = 0; from < fans.length; from += 100)
      found += (await statesOf(star, fans.slice(from, from + 100))).filter((shown) => shown === state).length
    return found
  }
  await clock.until('all to be there', async () => (await count('ONLINE')) === fans.length)
  await clock.turn(295_000)
  expect(await count('ONLINE')).toBe(fans.length)
  await clock.turn(8_000)
  expect(await count('IDLE')).toBe(fans.length)
})
