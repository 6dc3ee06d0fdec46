// The devices that are connected to this node, and their leases (P1). Signs of life stay in memory; one timer renews the leases
// of all devices that gave any, so a heartbeat writes nothing. Times are monotonic, in milliseconds.

import { LRUCache } from 'lru-cache'
import { accountKinds } from '../account/events.ts'
import { entriesMax } from '../bounded.ts'
import type { LapsedDevice, Lease, Leases } from '../bus/leases.ts'
import type { Cancel, Clock } from '../clock.ts'
import { type SessionId, sessionIdOf } from '../id.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../log/log.ts'
import type { Store } from '../store/store.ts'
import type { SessionViewer } from '../viewer.ts'
import { type ActivitySource, alive, type DeviceActivity, holds, left, silent, summaryOf, used } from './device-activity.ts'
import { type Device, leaseOf, lose, reportAgain } from './device-record.ts'

declare module '../parts.ts' {
  interface App {
    readonly devices: DeviceService
  }
}

const lookMs = 250
/** A look takes the devices that gave a sign of life, and this part of all devices: each of them is looked at within 2 s … */
const looksForAll = 8
/** … but at least so many. Changes that come with time alone, such as becoming idle, may show that much later. */
const lookedAtMin = 500
/** The most leases that one call renews: Redis does nothing else during the call. */
const renewMax = 100
const lapseEveryMs = 1_000
const retryMs = 1_000
const unwrittenMax = 100_000
const endedMax = 100_000

/** A device as one of its connections reports it. The report of a lost connection holds as long as its last sign of life. */
export type ConnectedDevice = {
  /** Reports that the connection is alive; whether the device is in use is unknown. */
  alive(): void
  /** Reports that the user did something. */
  used(): void
  /** Reports that nobody is using the device. */
  left(): void
  /** Reports that the connection is lost. */
  lost(): void
  /** When the device stops being present without another sign of life. */
  presentUntil(): Date
  /** Whether the device is idle, according to all of its connections to this node. */
  isIdle(): boolean
}

/** The devices of a node. */
export class DeviceService {
  readonly #leases: Leases
  /** How long a device is present after its last sign of life. */
  readonly #ttlMs: number
  readonly #store: Store
  readonly #log: Log
  readonly #devices = new Map<SessionId, Device>()
  /** Devices that gave a sign of life since the last look. */
  readonly #heard = new Set<SessionId>()
  /** Where the next look continues. */
  #others = this.#devices.entries()
  /** Sessions that ended recently: operations still under way must not bring their devices back. */
  readonly #ended: LRUCache<SessionId, true>
  readonly #clock: Clock
  readonly #stopLooking: Cancel
  /** The last activity on devices that have lapsed, in milliseconds since 1970, still to be written. */
  #unwritten = new Map<SessionId, number>()
  #writing: Promise<void> | null = null
  #isBusy = false
  #waitUntil = 0
  #lapsedAt = 0
  #working: Promise<void> = Promise.resolve()

  constructor(leases: Leases, ttlMs: number, clock: Clock, journal: Journal, store: Store, log: Log) {
    this.#leases = leases
    this.#ttlMs = ttlMs
    this.#clock = clock
    this.#ended = new LRUCache({ ...entriesMax(endedMax), ttl: 2 * ttlMs, perf: { now: clock.monotonicMs } })
    this.#store = store
    this.#log = log
    const reportAll = () => {
      this.#waitUntil = 0
      this.#devices.forEach(reportAgain)
    }
    leases.onRestored(reportAll)
    journal.onRestart(reportAll)
    journal.onFact(({ kind, userId, subjectId }) => {
      if (kind === accountKinds.SessionRevoked.number && userId !== null && subjectId !== null)
        this.endSession(sessionIdOf(subjectId), userId)
    })
    this.#stopLooking = clock.every(lookMs, () => this.#look())
  }

  /** Adds a WebSocket of a device: the device is present from now on. */
  connect(viewer: SessionViewer, isIdle: boolean): ConnectedDevice {
    const now = this.#clock.monotonicMs()
    const source: ActivitySource = { activity: isIdle ? alive(silent, now) : used(now), mayBegin: true }
    this.#deviceOf(viewer)?.sources.push(source)
    this.#heard.add(viewer.sessionId)
    return this.#connectedDevice(viewer, (device) => {
      if (!device.sources.includes(source)) device.sources.push(source)
      return source
    })
  }

  /**
   * A device as its operations over HTTP report it. They keep it present.
   * @param mayBegin whether they also make it present
   */
  overHttp(viewer: SessionViewer, mayBegin: boolean): ConnectedDevice {
    return this.#connectedDevice(viewer, ({ others }) => {
      others.mayBegin ||= mayBegin
      return others
    })
  }

  /** Whether a WebSocket of this session is open on this node. */
  isConnected(sessionId: SessionId): boolean {
    return (this.#devices.get(sessionId)?.sources.length ?? 1) > 1
  }

  /** Ends a session: its device is gone at once, and nothing that its connections still report brings it back. */
  endSession(sessionId: SessionId, userId = this.#devices.get(sessionId)?.userId): void {
    this.#ended.set(sessionId, true)
    this.#devices.delete(sessionId)
    if (userId === undefined) return
    this.#leases.end(userId, sessionId).then(
      (lapsed) => this.#keep(lapsed),
      (error: unknown) => this.#log.debug({ err: error }, 'a lease could not be ended: it will lapse'),
    )
  }

  async close(): Promise<void> {
    this.#stopLooking()
    await this.#working
    await this.#writing
    await this.#write()
  }

  /** The device of a session; null if the session has ended. */
  #deviceOf({ userId, sessionId }: SessionViewer): Device | null {
    if (this.#ended.has(sessionId)) return null
    let device = this.#devices.get(sessionId)
    if (!device) {
      const others: ActivitySource = { activity: silent, mayBegin: false }
      device = { userId, sources: [others], others, reported: null }
      this.#devices.set(sessionId, device)
    }
    return device
  }

  #connectedDevice(viewer: SessionViewer, sourceOf: (device: Device) => ActivitySource): ConnectedDevice {
    const report = (activityAfter: (activity: DeviceActivity, now: number) => DeviceActivity) => {
      const device = this.#deviceOf(viewer)
      if (!device) return
      this.#heard.add(viewer.sessionId)
      const source = sourceOf(device)
      source.activity = activityAfter(source.activity, this.#clock.monotonicMs())
    }
    const summary = (now: number) => summaryOf(this.#devices.get(viewer.sessionId)?.sources ?? [], now, this.#ttlMs)
    return {
      alive: () => report(alive),
      used: () => report((_activity, now) => used(now)),
      left: () => report(left),
      lost: () => {
        const device = this.#devices.get(viewer.sessionId)
        this.#heard.add(viewer.sessionId)
        if (device) lose(device, sourceOf(device), this.#clock.monotonicMs(), this.#ttlMs)
      },
      presentUntil: () => {
        const now = this.#clock.monotonicMs()
        const agoMs = now - (summary(now)?.signAt ?? now)
        return new Date(this.#clock.now() + this.#ttlMs - agoMs)
      },
      isIdle: () => summary(this.#clock.monotonicMs())?.state !== 'ONLINE',
    }
  }

  #look(): void {
    const now = this.#clock.monotonicMs()
    if (this.#isBusy || now < this.#waitUntil) return
    this.#isBusy = true
    this.#working = this.#renew(now)
      .then(() => (now - this.#lapsedAt >= lapseEveryMs ? this.#lapse(now) : undefined))
      .catch((error: unknown) => {
        this.#waitUntil = this.#clock.monotonicMs() + retryMs
        this.#log.debug({ err: error }, 'leases could not be renewed: trying again')
      })
      .finally(() => {
        this.#isBusy = false
      })
    // Leases must not wait for Postgres.
    if (this.#unwritten.size > 0) this.#writing ??= this.#write().finally(() => (this.#writing = null))
  }

  async #renew(now: number): Promise<void> {
    const due: Lease[] = []
    for (const [deviceId, device] of this.#takeNext()) {
      const lease = leaseOf(deviceId, device, now, this.#ttlMs)
      if (lease) due.push(lease)
      else if (device.sources.length === 1 && !holds(device.others.activity, now, this.#ttlMs)) this.#devices.delete(deviceId)
    }
    for (let renewed = 0; renewed < due.length; renewed += renewMax) {
      // A session may have ended during an earlier call.
      const some = due.slice(renewed, renewed + renewMax).filter(({ deviceId }) => this.#devices.has(deviceId))
      await this.#leases.renew(some).then(
        (lapsed) => this.#keep(lapsed),
        (error: unknown) => {
          for (const { deviceId } of due.slice(renewed)) reportAgain(this.#devices.get(deviceId))
          throw error
        },
      )
    }
  }

  /** The devices of the next look. Looking at all of them each time would take several percent of a core for 10,000. */
  *#takeNext(): Iterable<readonly [SessionId, Device]> {
    const heard = [...this.#heard]
    this.#heard.clear()
    for (const deviceId of heard) {
      const device = this.#devices.get(deviceId)
      if (device) yield [deviceId, device]
    }
    for (let left = Math.max(lookedAtMin, this.#devices.size / looksForAll); left > 0; left -= 1) {
      const next = this.#others.next()
      if (next.done) {
        this.#others = this.#devices.entries()
        return
      }
      yield next.value
    }
  }

  /** Removes the leases that have lapsed, of devices on any node. */
  async #lapse(now: number): Promise<void> {
    this.#lapsedAt = now
    this.#keep(await this.#leases.lapse())
  }

  #keep(lapsed: readonly Omit<LapsedDevice, 'userId'>[]): void {
    for (const { deviceId, activeAt } of lapsed) {
      if (activeAt === 0 || this.#unwritten.size >= unwrittenMax) continue
      this.#unwritten.set(deviceId, Math.max(activeAt, this.#unwritten.get(deviceId) ?? 0))
    }
  }

  /** Writes the last activity on lapsed devices. Retries if that fails. */
  async #write(): Promise<void> {
    if (this.#unwritten.size === 0) return
    const written = this.#unwritten
    this.#unwritten = new Map()
    const [ids, times] = [[...written.keys()], [...written.values()]]
    await this.#store.prisma.$executeRaw`
      update session s set last_active_at = greatest(s.last_active_at, to_timestamp(l.at / 1000.0))
        from unnest(${ids}::bigint[], ${times}::bigint[]) as l(id, at) where s.id = l.id`.catch((error: unknown) => {
      this.#log.debug({ err: error }, 'the last activity of users could not be written: trying again')
      this.#keep([...written].map(([deviceId, activeAt]) => ({ deviceId, activeAt })))
    })
  }
}
