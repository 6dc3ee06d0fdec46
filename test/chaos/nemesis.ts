// The nemesis of a chaos run injects faults. The seed decides which fault comes next, what it hits and how long it lasts. At
// least one node is always left alone, and everything broken is repaired.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import type { NodeProcess } from './node-process.ts'
import type { Processes } from './processes.ts'
import type { NodeProxy } from './proxy.ts'
import type { RunRecord } from './record.ts'

const faultKinds = [
  'node killed',
  'node killed',
  'node frozen',
  'node frozen',
  'node restarted',
  'Redis killed',
  'Redis frozen',
  'Redis emptied',
  'Redis subscribers cut',
  'Postgres restarted',
  'Postgres restarted at once',
  'sockets cut',
  'sockets cut',
  'sockets cut',
  'readers slowed',
  'readers slowed',
  'files taken away',
] as const

/** What else happens to a Redis Cluster. */
const clusterFaults = ['Redis failed over', 'Redis failed over', 'Redis slots moved', 'Redis slots moved'] as const

/** Every kind of fault, once; those of a Redis Cluster only if there is one. */
export const allFaults: readonly string[] = [...new Set(faultKinds)]

/**
 * Injects faults for the given time, and until each kind has happened once; then waits until everything is repaired.
 * `everyMs` is the mean pause between two faults.
 */
export async function runNemesis(
  processes: Processes,
  proxies: readonly NodeProxy[],
  random: Random,
  record: RunRecord,
  everyMs: number,
  durationMs: number,
): Promise<void> {
  const nemesis = new Nemesis(processes, proxies, random, record)
  const active = new Set<Promise<void>>()
  const kinds = processes.redis.isCluster ? ([...faultKinds, ...clusterFaults] as const) : faultKinds
  const due = random.shuffle([...new Set<string>(kinds)])
  const deadline = Date.now() + durationMs
  while (due.length > 0 || Date.now() < deadline) {
    await delay(random.whole(everyMs / 2, (everyMs * 3) / 2))
    const fault = due.find((kind) => nemesis.canInject(kind)) ?? random.one<string>(kinds)
    if (!nemesis.canInject(fault)) continue
    const task = nemesis.inject(fault).catch((error: unknown) => {
      record.violation(`the nemesis itself failed: ${String(error)}`)
    })
    active.add(task)
    void task.then(() => active.delete(task))
    // A fault that found nothing to break (no open socket, for example) stays due.
    const at = due.indexOf(fault)
    if (at >= 0) due.splice(at, 1)
    if (at >= 0 && record.of(fault) === 0) due.push(fault)
  }
  await Promise.all(active)
}

class Nemesis {
  readonly #processes: Processes
  readonly #proxies: readonly NodeProxy[]
  readonly #random: Random
  readonly #record: RunRecord
  /** The processes that are broken at the moment. */
  readonly #broken = new Set<unknown>()

  constructor(processes: Processes, proxies: readonly NodeProxy[], random: Random, record: RunRecord) {
    this.#processes = processes
    this.#proxies = proxies
    this.#random = random
    this.#record = record
  }

  /** Whether the target of this fault works at the moment. */
  canInject(fault: string): boolean {
    if (fault.startsWith('node')) return this.#healthyNodes().length > 1
    if (fault.startsWith('files')) return !this.#broken.has(this.#processes.files)
    if (fault.startsWith('Redis')) return !this.#broken.has(this.#processes.redis)
    return !fault.startsWith('Postgres') || !this.#broken.has(this.#processes.postgres)
  }

  #healthyNodes(): readonly NodeProcess[] {
    return this.#processes.nodes.filter((node) => !this.#broken.has(node))
  }

  async inject(fault: string): Promise<void> {
    const random = this.#random
    const { postgres, redis } = this.#processes
    const awayMs = random.chance(0.5) ? 0 : random.whole(0, 2_500)
    // One freeze in five outlasts every time-out that frees what a frozen node holds.
    const frozenMs = random.chance(0.2) ? random.whole(4_000, 7_000) : random.whole(100, 2_500)
    switch (fault) {
      case 'node killed':
      case 'node restarted':
      case 'node frozen': {
        const healthy = this.#healthyNodes()
        const node = healthy[random.whole(0, healthy.length - 1)]
        if (!node) return
        return this.#breaking(fault, node, async () => {
          if (fault === 'node frozen') return node.freeze(frozenMs)
          const code = await node.end(fault === 'node killed' ? 'SIGKILL' : 'SIGTERM')
          if (fault === 'node restarted' && code !== 0) {
            this.#record.violation(`D9 ${node.name} exited with code ${code} on SIGTERM:\n${node.tail}`)
          }
          await delay(awayMs)
          await node.start()
        })
      }
      case 'Redis killed':
        return this.#breaking(fault, redis, () => redis.restart(awayMs, random))
      case 'Redis frozen':
        return this.#breaking(fault, redis, () => redis.freeze(frozenMs, random))
      case 'Redis emptied':
        return this.#breaking(fault, redis, () => redis.empty())
      case 'Redis subscribers cut':
        return this.#breaking(fault, redis, () => redis.cutSubscribers())
      case 'Redis failed over':
        return this.#breaking(fault, redis, () => redis.failOver(random))
      case 'Redis slots moved':
        return this.#breaking(fault, redis, () => redis.moveSlots(random))
      case 'Postgres restarted':
        return this.#breaking(fault, postgres, () => postgres.restart('SIGINT', awayMs / 2))
      case 'Postgres restarted at once':
        return this.#breaking(fault, postgres, () => postgres.restart('SIGQUIT', awayMs / 2))
      case 'files taken away': {
        const { files } = this.#processes
        this.#broken.add(files)
        if (await files.takeAway(random.whole(100, 4_000))) this.#record.count(fault)
        this.#broken.delete(files)
        return
      }
      case 'sockets cut':
        for (const proxy of this.#proxies) this.#record.count(fault, proxy.cut(random, 4))
        return
      case 'readers slowed':
        for (const proxy of this.#proxies) this.#record.count(fault, proxy.stall(random, 3, random.whole(500, 5_000)))
    }
  }

  async #breaking(fault: string, target: unknown, act: () => Promise<void>): Promise<void> {
    this.#broken.add(target)
    this.#record.count(fault)
    try {
      await act()
    } finally {
      this.#broken.delete(target)
    }
  }
}
