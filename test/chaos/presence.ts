// Who is shown as there when all is mended (P1): whoever has a device that follows, and nobody else, on every node and to everybody
// who may see it. Within the time that a sign of life lasts, and five seconds.

import { setTimeout as delay } from 'node:timers/promises'
import { LookAtPeople } from '../presence/documents.ts'
import type { Device } from './device.ts'
import { ask, type Door } from './door.ts'
import type { Person } from './person.ts'
import type { Record } from './record.ts'

const graceMs = 5_000
const lookEveryMs = 500

/** What is wrong of what people see of each other; empty where nothing is. Counts what was looked at. */
async function wrongs(
  people: readonly Person[],
  watching: readonly Person[],
  isThere: (person: Person) => boolean,
  doors: readonly Door[],
): Promise<{ seen: number; wrong: string[] }> {
  const ids = people.map(({ id }) => id)
  const looks = watching.flatMap((viewer) => doors.map((door) => ({ viewer, door })))
  const wrong: string[] = []
  let seen = 0
  await Promise.all(
    looks.map(async ({ viewer, door }) => {
      const outcome = await ask(door, LookAtPeople, { ids }, viewer.accessToken)
      if (outcome.status !== 'answered') return void wrong.push(`${viewer.id} was not answered at ${door.name}`)
      for (const [i, node] of outcome.data.nodes.entries()) {
        const person = people[i]
        if (!person || !node || !('presence' in node) || !node.presence) continue
        seen += 1
        const shown = node.presence.state !== 'OFFLINE'
        if (shown !== isThere(person)) wrong.push(`${viewer.id} sees ${person.id} ${node.presence.state} at ${door.name}`)
      }
    }),
  )
  return { seen, wrong }
}

/** Checks it twice: while all devices follow, and after those of every other person have gone. */
export async function checkPresence(
  people: readonly Person[],
  devices: readonly Device[],
  doors: readonly Door[],
  ttlMs: number,
  record: Record,
): Promise<void> {
  const gone = new Set(people.filter((_person, i) => i % 2 === 1))
  const staying = people.filter((person) => !gone.has(person))
  const expectTrue = async (when: string, isThere: (person: Person) => boolean) => {
    for (const limit = Date.now() + ttlMs + graceMs; ; ) {
      const { seen, wrong } = await wrongs(people, staying, isThere, doors)
      if (wrong.length === 0) return record.count('presence checked', seen)
      if (Date.now() > limit) {
        for (const each of wrong.slice(0, 10)) record.fault(`P1 ${when}: ${each}`)
        return
      }
      await delay(lookEveryMs)
    }
  }
  await expectTrue('when all was mended', () => true)
  const goneIds = new Set([...gone].map(({ userId }) => userId))
  for (const device of devices) if (goneIds.has(device.userId)) device.stop()
  await expectTrue('when some had gone', (person) => !gone.has(person))
}
