// Tracks how push services respond to this node, so that a slow or unavailable one does not delay the others. A service that is
// slow, or has not accepted anything yet, gets few of the workers. A service that keeps failing is paused, longer each time.
// Nothing here is stored: each node learns for itself.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import type { PushResult } from './provider.ts'

/** The most jobs that a node works on at once. */
export const workers = 8
/** The most of them for one service: all but two if it is quick, two if it is slow or unknown, one if it is failing. */
const perService = { quick: workers - 2, slow: 2, failing: 1 } as const
/** The most of them for all services together that are not quick: slow, failing, or yet to accept anything. */
const notQuickMax = workers / 2
/** A service is slow if its answers take longer than this on average. */
const slowMs = 1_000
/** A service is paused after this many consecutive failures. */
const failuresMax = 5
const pauseMs = { least: 1_000, most: 60_000 } as const
const servicesKept = 1_000

type ServiceState = { active: number; failures: number; pausedUntil: number; averageMs: number; isProven: boolean }

/** The push services that a node sends to. */
export class Services {
  readonly #clock: Clock
  readonly #states = new LRUCache<string, ServiceState>({ max: servicesKept })
  readonly #active = new Map<string, ServiceState>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Begins a job for a service. A quick service may briefly exceed its share if several workers took its jobs at once: postponing
   * them would cost more.
   * @returns whether the job may run now; if so, end it with `leave`
   */
  enter(service: string): boolean {
    const state = this.#stateOf(service)
    if (this.isPaused(service) || (isFull(state) && !isQuick(state))) return false
    if (!isQuick(state) && this.#notQuick() >= notQuickMax) return false
    state.active += 1
    this.#active.set(service, state)
    return true
  }

  leave(service: string): void {
    const state = this.#active.get(service)
    if (!state) return
    state.active -= 1
    if (state.active === 0) this.#active.delete(service)
  }

  /** The services that may not get another job now. */
  busy(): string[] {
    const paused = [...this.#states.entries()].filter(([service]) => this.isPaused(service)).map(([service]) => service)
    const full = [...this.#active].filter(([, state]) => isFull(state)).map(([service]) => service)
    const isRoomForSlow = this.#notQuick() < notQuickMax
    const slow = [...this.#states.entries()].filter(([, state]) => !isRoomForSlow && !isQuick(state)).map(([service]) => service)
    return [...new Set([...paused, ...full, ...slow])]
  }

  /** Whether a service is paused. */
  isPaused(service: string): boolean {
    return this.#stateOf(service).pausedUntil > this.#clock.monotonicMs()
  }

  /** Learns from the result and the duration of an attempt. */
  learn(service: string, result: PushResult, ms: number): void {
    const state = this.#stateOf(service)
    state.averageMs = state.averageMs * 0.8 + ms * 0.2
    if (result.type !== 'LATER') state.isProven = true
    if (result.type !== 'LATER' || !result.isOfService) {
      state.failures = 0
      state.pausedUntil = 0
      return
    }
    state.failures += 1
    if (state.failures < failuresMax || state.pausedUntil > this.#clock.monotonicMs()) return
    const backOffMs = Math.min(pauseMs.most, pauseMs.least * 2 ** (state.failures - failuresMax))
    state.pausedUntil =
      this.#clock.monotonicMs() + Math.max(backOffMs * (0.5 + Math.random() / 2), Math.min(result.afterMs ?? 0, pauseMs.most))
  }

  #stateOf(service: string): ServiceState {
    const known = this.#states.get(service) ?? this.#active.get(service)
    if (known) return known
    const made = { active: 0, failures: 0, pausedUntil: 0, averageMs: 0, isProven: false }
    this.#states.set(service, made)
    return made
  }

  #notQuick(): number {
    return [...this.#active.values()].filter((state) => !isQuick(state)).reduce((sum, { active }) => sum + active, 0)
  }
}

const isQuick = ({ failures, averageMs, isProven }: ServiceState) => failures < failuresMax && averageMs <= slowMs && isProven

function isFull(state: ServiceState): boolean {
  const most = state.failures >= failuresMax ? perService.failing : isQuick(state) ? perService.quick : perService.slow
  return state.active >= most
}
