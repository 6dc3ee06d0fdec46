// The devices that are connected to this node, and their leases (P1). A visit is what one connection says of its device. Signs
// of life are noted in memory; one clock renews the leases of all that gave one, so no heartbeat costs more than a number.
// Times in here are those of a clock that only goes forward, in milliseconds.

import { LRUCache } from 'lru-cache'
import type { LapsedDevice, Lease, Leases } from '../bus/leases.ts'
import { factKinds } from '../journal/fact.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'

/** After how long without having done anything a device is idle, in milliseconds. */
export const idleAfterMs = 300_000
const lookMs = 250
/** A device that gives signs of life all the time is renewed so often, or a sixth of the time that a sign lasts. */
const renewEveryMs = 5_000
/** A device whose state goes to and fro is told of so often. */
const changeEveryMs = 1_000
/** How many leases one call renews: Redis does nothing else meanwhile. */
const renewMax = 100
const lapseEveryMs = 1_000
const retryMs = 1_000
const unwrittenMax = 100_000
const endedMax = 100_000

/** One connection of a device. After it was lost, what it said last holds as long as its last sign of life does. */
export type Visit = {
  /** The connection lives; its person need not be there. */
  sign(): void
  /** Its person does something. */
  act(): void
  /** Its person is not at it, and says so. */
  rest(): void
  /** The connection is lost. */
  leave(): void
  /** Until when the device is there without a further sign. */
  lastsUntil(): Date
  /** Whether the device is idle, by all that is connected to this node. */
  isIdle(): boolean
}

type Device = {
  readonly userId: number
  readonly visits: Set<Noted>
  /** What it says over HTTP, and what its lost connections said. */
  readonly others: Noted
  /** What was told of it last, and when; and since when the state is so. */
  told: { readonly state: Lease['state'] | null; readonly signAt: number; readonly at: number; readonly since: number }
}
/** What is noted of a visit. `activeAt` is null where its person did nothing yet. */
type Noted = { signAt: number; activeAt: number | null; isResting: boolean; mayBegin: boolean }

const untold = { state: null, signAt: 0, at: 0, since: 0 } as const
const never = Number.NEGATIVE_INFINITY

/** The devices of a node. */
export class Visits {
  readonly #leases: Leases
  /** How long a device is there after its last sign of life. */
  readonly #ttlMs: number
  readonly #store: Store
  readonly #log: Log
  readonly #devices = new Map<number, Device>()
  /** Sessions that ended a moment ago: what is still under way of them brings nothing back. */
  readonly #ended: LRUCache<number, true>
  readonly #clock: NodeJS.Timeout
  /** When people of devices that have gone were last active, in milliseconds since 1970: to be written. */
  #unwritten = new Map<number, number>()
  #writing: Promise<void> | null = null
  #isBusy = false
  #waitUntil = 0
  #lapsedAt = 0
  #working: Promise<void> = Promise.resolve()

  constructor(leases: Leases, ttlMs: number, journal: Journal, store: Store, log: Log) {
    this.#leases = leases
    this.#ttlMs = ttlMs
    this.#ended = new LRUCache({ max: endedMax, ttl: 2 * ttlMs })
    this.#store = store
    this.#log = log
    const tellAll = () => {
      this.#waitUntil = 0
      this.#devices.forEach(doubt)
    }
    leases.onRestored(tellAll)
    journal.onRestart(tellAll)
    journal.onFact(({ kind, userId, subjectId }) => {
      if (kind === factKinds.SessionRevoked && userId !== null && subjectId !== null) this.end(subjectId, userId)
    })
    this.#clock = setInterval(() => this.#look(), lookMs)
  }

  /** A device has connected by a WebSocket: it is there from now on. */
  enter(viewer: Viewer, isResting: boolean): Visit {
    const now = performance.now()
    const noted: Noted = { signAt: now, activeAt: isResting ? null : now, isResting, mayBegin: true }
    this.#deviceOf(viewer)?.visits.add(noted)
    return this.#visitOf(viewer, (device) => device.visits.add(noted) && noted)
  }

  /** What a device says over HTTP. It keeps the device there; only its `act` and `rest` bring it there. */
  overHttp(viewer: Viewer): Visit {
    return this.#visitOf(viewer, ({ others }) => others)
  }

  /** A session is over: its device is gone at once, and what still comes over its connections brings it back no more. */
  end(sessionId: number, userId = this.#devices.get(sessionId)?.userId): void {
    this.#ended.set(sessionId, true)
    this.#devices.delete(sessionId)
    if (userId === undefined) return
    this.#leases.end(userId, sessionId).then(
      (lapsed) => this.#keep(lapsed),
      (error: unknown) => this.#log.debug({ err: error }, 'a lease could not be ended: it lapses'),
    )
  }

  async close(): Promise<void> {
    clearInterval(this.#clock)
    await this.#working
    await this.#writing
    await this.#write()
  }

  /** The device of a session; null for one that has ended. */
  #deviceOf({ userId, sessionId }: Viewer): Device | null {
    if (this.#ended.has(sessionId)) return null
    let device = this.#devices.get(sessionId)
    if (!device) {
      const others = { signAt: never, activeAt: null, isResting: false, mayBegin: false }
      device = { userId, visits: new Set(), others, told: untold }
      this.#devices.set(sessionId, device)
    }
    return device
  }

  #visitOf(viewer: Viewer, notedOf: (device: Device) => Noted): Visit {
    const note = (change?: (noted: Noted, now: number) => void) => {
      const device = this.#deviceOf(viewer)
      if (!device) return
      const [noted, now] = [notedOf(device), performance.now()]
      change?.(noted, now)
      noted.signAt = now
    }
    return {
      sign: () => note(),
      act: () =>
        note((noted, now) => {
          noted.activeAt = now
          noted.isResting = false
          noted.mayBegin = true
        }),
      rest: () =>
        note((noted) => {
          noted.isResting = true
          noted.mayBegin = true
        }),
      leave: () => {
        const device = this.#devices.get(viewer.sessionId)
        if (device) leaveBehind(device, notedOf(device), performance.now() - this.#ttlMs)
      },
      lastsUntil: () => {
        const device = this.#devices.get(viewer.sessionId)
        const now = performance.now()
        const agoMs = device ? now - sumOf(device, now, this.#ttlMs).signAt : 0
        return new Date(Date.now() + this.#ttlMs - agoMs)
      },
      isIdle: () => {
        const device = this.#devices.get(viewer.sessionId)
        return !device || sumOf(device, performance.now(), this.#ttlMs).state === 'IDLE'
      },
    }
  }

  #look(): void {
    const now = performance.now()
    if (this.#isBusy || now < this.#waitUntil) return
    this.#isBusy = true
    this.#working = this.#renew(now)
      .then(() => (now - this.#lapsedAt >= lapseEveryMs ? this.#lapse(now) : undefined))
      .catch((error: unknown) => {
        this.#waitUntil = performance.now() + retryMs
        this.#log.debug({ err: error }, 'presence could not be told: trying again')
      })
      .finally(() => {
        this.#isBusy = false
      })
    // Leases do not wait for Postgres.
    if (this.#unwritten.size > 0) this.#writing ??= this.#write().finally(() => (this.#writing = null))
  }

  async #renew(now: number): Promise<void> {
    const due: Lease[] = []
    this.#devices.forEach((device, deviceId) => {
      const lease = leaseOf(deviceId, device, now, this.#ttlMs)
      if (lease) due.push(lease)
      else if (device.visits.size === 0 && device.others.signAt + this.#ttlMs <= now) this.#devices.delete(deviceId)
    })
    for (let told = 0; told < due.length; told += renewMax) {
      // A session may have ended while others were told.
      const some = due.slice(told, told + renewMax).filter(({ deviceId }) => this.#devices.has(deviceId))
      await this.#leases.renew(some).then(
        (lapsed) => this.#keep(lapsed),
        (error: unknown) => {
          for (const { deviceId } of due.slice(told)) doubt(this.#devices.get(deviceId))
          throw error
        },
      )
    }
  }

  /** Any node lets go of what lapsed anywhere. */
  async #lapse(now: number): Promise<void> {
    this.#lapsedAt = now
    this.#keep(await this.#leases.lapse())
  }

  #keep(lapsed: readonly LapsedDevice[]): void {
    for (const { deviceId, activeAt } of lapsed) {
      if (activeAt === 0 || this.#unwritten.size >= unwrittenMax) continue
      this.#unwritten.set(deviceId, Math.max(activeAt, this.#unwritten.get(deviceId) ?? 0))
    }
  }

  /** Writes when people were last active whose devices have gone; what fails is tried again. */
  async #write(): Promise<void> {
    if (this.#unwritten.size === 0) return
    const written = this.#unwritten
    this.#unwritten = new Map()
    const [ids, times] = [[...written.keys()], [...written.values()]]
    await this.#store.prisma.$executeRaw`
      update session s set last_active_at = greatest(s.last_active_at, to_timestamp(l.at / 1000.0))
        from unnest(${ids}::bigint[], ${times}::bigint[]) as l(id, at) where s.id = l.id`.catch((error: unknown) => {
      this.#log.debug({ err: error }, 'when people were last active could not be written: trying again')
      this.#keep([...written].map(([deviceId, activeAt]) => ({ userId: 0, deviceId, activeAt })))
    })
  }
}

/** What was told of a device may be lost: it is told again. */
function doubt(device: Device | undefined): void {
  if (device) device.told = untold
}

/** A connection is lost: what it said last is put to what others said that are lost, if that still holds. */
function leaveBehind({ visits, others }: Device, noted: Noted, since: number): void {
  if (noted === others) return
  visits.delete(noted)
  others.isResting = others.signAt > since ? others.isResting && noted.isResting : noted.isResting
  others.signAt = Math.max(others.signAt, noted.signAt)
  others.activeAt = Math.max(others.activeAt ?? never, noted.activeAt ?? never)
  if (others.activeAt === never) others.activeAt = null
  others.mayBegin ||= noted.mayBegin
}

/** What all that is said of a device comes to, by what still holds of it; `signAt` is `never` where nothing does. */
function sumOf({ visits, others }: Device, now: number, ttlMs: number) {
  const sum = { signAt: never, activeAt: null as number | null, mayBegin: false, state: 'IDLE' as Lease['state'] }
  const add = (noted: Noted) => {
    if (noted.signAt + ttlMs <= now) return
    sum.signAt = Math.max(sum.signAt, noted.signAt)
    if (noted.activeAt !== null) sum.activeAt = Math.max(sum.activeAt ?? never, noted.activeAt)
    sum.mayBegin ||= noted.mayBegin
    const isIdle = noted.isResting || noted.activeAt === null || now - noted.activeAt >= idleAfterMs
    if (!isIdle) sum.state = 'ONLINE'
  }
  add(others)
  visits.forEach(add)
  return sum
}

/** What is to be told of a device now; null for nothing. */
function leaseOf(deviceId: number, device: Device, now: number, ttlMs: number): Lease | null {
  for (const visit of device.visits) if (visit.signAt + ttlMs <= now) device.visits.delete(visit)
  const { signAt, activeAt, mayBegin, state } = sumOf(device, now, ttlMs)
  if (signAt === never) return null
  const { told } = device
  const isSame = state === told.state
  const isTooSoon = isSame ? now - told.at < Math.min(renewEveryMs, ttlMs / 6) : told.state && now - told.since < changeEveryMs
  if (isTooSoon || (isSame && signAt === told.signAt)) return null
  device.told = { state, signAt, at: now, since: isSame ? told.since : now }
  const activeAgoMs = activeAt === null ? null : now - activeAt
  return { userId: device.userId, deviceId, state, activeAgoMs, lastsMs: signAt + ttlMs - now, mayBegin }
}
