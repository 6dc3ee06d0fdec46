// Presence after all repairs (P1): every node shows as online exactly the people with a device that follows, to everyone who may
// see it, within the presence TTL plus five seconds.

import { setTimeout as delay } from 'node:timers/promises'
import { LookAtPeople } from '../presence/documents.ts'
import type { SimulatedDevice } from './device.ts'
import { ask, type Endpoint } from './endpoint.ts'
import type { Person } from './person.ts'
import type { RunRecord } from './record.ts'

const graceMs = 5_000
const checkEveryMs = 500

/** Compares what people see of each other with the truth. @returns the number of looks, and each mistake */
async function findMistakes(
  people: readonly Person[],
  watching: readonly Person[],
  isOnline: (person: Person) => boolean,
  endpoints: readonly Endpoint[],
): Promise<{ seen: number; wrong: string[] }> {
  const ids = people.map(({ id }) => id)
  const requests = watching.flatMap((viewer) => endpoints.map((endpoint) => ({ viewer, endpoint })))
  const wrong: string[] = []
  let seen = 0
  await Promise.all(
    requests.map(async ({ viewer, endpoint }) => {
      const outcome = await ask(endpoint, LookAtPeople, { ids }, viewer.accessToken)
      if (outcome.status !== 'answered') return void wrong.push(`${viewer.id} got no answer at ${endpoint.name}`)
      for (const [i, node] of outcome.data.nodes.entries()) {
        const person = people[i]
        if (!person || !node || !('presence' in node) || !node.presence) continue
        seen += 1
        const shown = node.presence.state !== 'OFFLINE'
        if (shown !== isOnline(person)) wrong.push(`${viewer.id} sees ${person.id} ${node.presence.state} at ${endpoint.name}`)
      }
    }),
  )
  return { seen, wrong }
}

/** Checks presence twice: while all devices follow, and after every other person's devices have stopped. */
export async function checkPresence(
  people: readonly Person[],
  devices: readonly SimulatedDevice[],
  endpoints: readonly Endpoint[],
  ttlMs: number,
  record: RunRecord,
): Promise<void> {
  const gone = new Set(people.filter((_person, i) => i % 2 === 1))
  const staying = people.filter((person) => !gone.has(person))
  const expectCorrect = async (when: string, isOnline: (person: Person) => boolean) => {
    for (const limit = Date.now() + ttlMs + graceMs; ; ) {
      const { seen, wrong } = await findMistakes(people, staying, isOnline, endpoints)
      if (wrong.length === 0) return record.count('presence checked', seen)
      if (Date.now() > limit) {
        for (const each of wrong.slice(0, 10)) record.violation(`P1 ${when}: ${each}`)
        return
      }
      await delay(checkEveryMs)
    }
  }
  await expectCorrect('after all repairs', () => true)
  const goneIds = new Set([...gone].map(({ userId }) => userId))
  for (const device of devices) if (goneIds.has(device.userId)) device.stop()
  await expectCorrect('after some people left', (person) => !gone.has(person))
}
