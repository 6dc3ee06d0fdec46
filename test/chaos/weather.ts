// The weather of a chaos run: what goes wrong next, with what, and for how long, is drawn from the seed. At least one node
// is left alone at any time; everything that is broken is mended again.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../journal/random.ts'
import type { NodeProgram, Programs } from './programs.ts'
import type { Record } from './record.ts'
import type { Wire } from './wire.ts'

const mishaps = [
  'node killed',
  'node killed',
  'node frozen',
  'node frozen',
  'node restarted',
  'Redis killed',
  'Redis frozen',
  'Redis emptied',
  'Redis listeners cut',
  'Postgres restarted',
  'Postgres restarted at once',
  'sockets cut',
  'sockets cut',
  'sockets cut',
  'readers slowed',
  'readers slowed',
] as const

/** Everything that may happen, each once. */
export const allMishaps: readonly string[] = [...new Set(mishaps)]

/**
 * Brews for so long, and until each mishap has happened once; then waits until all is mended. `everyMs` is the mean pause
 * between two mishaps.
 */
export async function brew(
  programs: Programs,
  wires: readonly Wire[],
  random: Random,
  record: Record,
  everyMs: number,
  lastsMs: number,
): Promise<void> {
  const weather = new Weather(programs, wires, random, record)
  const pending = new Set<Promise<void>>()
  const first = shuffle(random, allMishaps)
  const deadline = Date.now() + lastsMs
  while (first.length > 0 || Date.now() < deadline) {
    await delay(random.whole(everyMs / 2, (everyMs * 3) / 2))
    const next = first.findIndex((mishap) => weather.canStrike(mishap))
    const mishap = first.splice(next < 0 ? first.length : next, 1)[0] ?? random.one(mishaps)
    if (!weather.canStrike(mishap)) continue
    const task = weather.strike(mishap).catch((error: unknown) => {
      record.fault(`the weather itself failed: ${String(error)}`)
    })
    pending.add(task)
    void task.then(() => pending.delete(task))
  }
  await Promise.all(pending)
}

function shuffle(random: Random, things: readonly string[]): string[] {
  const left = [...things]
  return things.flatMap(() => left.splice(random.whole(0, left.length - 1), 1))
}

class Weather {
  readonly #programs: Programs
  readonly #wires: readonly Wire[]
  readonly #random: Random
  readonly #record: Record
  /** What is broken at the moment. */
  readonly #broken = new Set<unknown>()

  constructor(programs: Programs, wires: readonly Wire[], random: Random, record: Record) {
    this.#programs = programs
    this.#wires = wires
    this.#random = random
    this.#record = record
  }

  /** Whether what it breaks is whole at the moment. */
  canStrike(mishap: string): boolean {
    if (mishap.startsWith('node')) return this.#wholeNodes().length > 1
    if (mishap.startsWith('Redis')) return !this.#broken.has(this.#programs.redis)
    return !mishap.startsWith('Postgres') || !this.#broken.has(this.#programs.postgres)
  }

  #wholeNodes(): readonly NodeProgram[] {
    return this.#programs.nodes.filter((node) => !this.#broken.has(node))
  }

  async strike(mishap: string): Promise<void> {
    const random = this.#random
    const { postgres, redis } = this.#programs
    const awayMs = random.chance(0.5) ? 0 : random.whole(0, 2_500)
    // Longer than each of the time-outs that free what a frozen node holds, now and then.
    const frozenMs = random.chance(0.2) ? random.whole(4_000, 7_000) : random.whole(100, 2_500)
    switch (mishap) {
      case 'node killed':
      case 'node restarted':
      case 'node frozen': {
        const whole = this.#wholeNodes()
        const node = whole[random.whole(0, whole.length - 1)]
        if (!node) return
        return this.#breaking(mishap, node, async () => {
          if (mishap === 'node frozen') return node.freeze(frozenMs)
          const code = await node.end(mishap === 'node killed' ? 'SIGKILL' : 'SIGTERM')
          if (mishap === 'node restarted' && code !== 0) {
            this.#record.fault(`D9 ${node.name} ended with ${code} when it was asked to:\n${node.tail}`)
          }
          await delay(awayMs)
          await node.start()
        })
      }
      case 'Redis killed':
        return this.#breaking(mishap, redis, () => redis.restart(awayMs))
      case 'Redis frozen':
        return this.#breaking(mishap, redis, () => redis.freeze(frozenMs))
      case 'Redis emptied':
        return this.#breaking(mishap, redis, () => redis.empty())
      case 'Redis listeners cut':
        return this.#breaking(mishap, redis, () => redis.cutListeners())
      case 'Postgres restarted':
        return this.#breaking(mishap, postgres, () => postgres.restart('SIGINT', awayMs / 2))
      case 'Postgres restarted at once':
        return this.#breaking(mishap, postgres, () => postgres.restart('SIGQUIT', awayMs / 2))
      case 'sockets cut':
        for (const wire of this.#wires) this.#record.count(mishap, wire.cut(random, 4))
        return
      case 'readers slowed':
        for (const wire of this.#wires) this.#record.count(mishap, wire.stall(random, 3, random.whole(500, 5_000)))
    }
  }

  async #breaking(mishap: string, thing: unknown, act: () => Promise<void>): Promise<void> {
    this.#broken.add(thing)
    this.#record.count(mishap)
    try {
      await act()
    } finally {
      this.#broken.delete(thing)
    }
  }
}
