// The devices that are connected to this node, and their leases (P1). A visit is what one connection says of its device. Signs
// of life are noted in memory; one clock renews the leases of all that gave one, so no heartbeat costs more than a number.

import type { Lease, Leases } from '../bus/leases.ts'
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
/** How many leases one call renews: Redis does nothing else meanwhile. */
const renewMax = 100
const lapseEveryMs = 1_000
const retryMs = 1_000

/** One connection of a device. After it was lost the visit lasts as long as its last sign of life does. */
export type Visit = {
  /** The connection lives; its person need not be there. */
  sign(): void
  /** Its person does something. */
  act(): void
  /** Its person is not at it, and says so. */
  rest(): void
  /** Until when the device is there without a further sign. */
  lastsUntil(): Date
  /** Whether it is idle. */
  isIdle(): boolean
}

type Device = {
  readonly userId: number
  readonly visits: Set<Noted>
  http: Noted | null
  /** What was told of it last. */
  told: { readonly state: Lease['state'] | null; readonly signAt: number; readonly at: number }
}
/** A visit as it is noted; times in milliseconds since 1970. */
type Noted = { signAt: number; activeAt: number; isResting: boolean; mayBegin: boolean; isOver: boolean }

const untold = { state: null, signAt: 0, at: 0 } as const

/** The devices of a node. */
export class Visits {
  readonly #leases: Leases
  /** How long a device is there after its last sign of life, in milliseconds. */
  readonly #ttlMs: number
  readonly #store: Store
  readonly #log: Log
  readonly #devices = new Map<number, Device>()
  readonly #clock: NodeJS.Timeout
  #isBusy = false
  #waitUntil = 0
  #lapsedAt = 0
  #working: Promise<void> = Promise.resolve()

  constructor(leases: Leases, ttlMs: number, journal: Journal, store: Store, log: Log) {
    this.#leases = leases
    this.#ttlMs = ttlMs
    this.#store = store
    this.#log = log
    leases.onRestored(() => this.#devices.forEach(doubt))
    journal.onFact(({ kind, userId, subjectId }) => {
      if (kind === factKinds.SessionRevoked && userId !== null && subjectId !== null) this.#end(userId, subjectId)
    })
    this.#clock = setInterval(() => this.#look(), lookMs)
  }

  /** A device has connected, by a WebSocket or an event stream: it is there from now on. */
  enter(viewer: Viewer, isResting: boolean): Visit {
    const now = Date.now()
    const noted = { signAt: now, activeAt: now, isResting, mayBegin: true, isOver: false }
    this.#deviceOf(viewer).visits.add(noted)
    return this.#visitOf(viewer, noted)
  }

  /** What a device says over HTTP. It keeps the device there; only its `act` and `rest` bring it there. */
  overHttp(viewer: Viewer): Visit {
    const device = this.#deviceOf(viewer)
    device.http ??= { signAt: 0, activeAt: 0, isResting: false, mayBegin: false, isOver: false }
    return this.#visitOf(viewer, device.http)
  }

  async close(): Promise<void> {
    clearInterval(this.#clock)
    await this.#working
  }

  #deviceOf({ userId, sessionId }: Viewer): Device {
    const device = this.#devices.get(sessionId) ?? { userId, visits: new Set(), http: null, told: untold }
    this.#devices.set(sessionId, device)
    return device
  }

  #visitOf(viewer: Viewer, noted: Noted): Visit {
    const note = () => {
      if (noted.isOver) return
      noted.signAt = Date.now()
      this.#deviceOf(viewer).visits.add(noted)
    }
    return {
      sign: note,
      act() {
        noted.activeAt = Date.now()
        noted.isResting = false
        noted.mayBegin = true
        note()
      },
      rest() {
        noted.isResting = true
        noted.mayBegin = true
        note()
      },
      lastsUntil: () => new Date(noted.signAt + this.#ttlMs),
      isIdle: () => isIdle(noted, Date.now()),
    }
  }

  /** A session is over: what still comes over its connections brings its device back no more. */
  #end(userId: number, deviceId: number): void {
    for (const visit of this.#devices.get(deviceId)?.visits ?? []) visit.isOver = true
    this.#devices.delete(deviceId)
    this.#leases
      .end(userId, deviceId)
      .catch((error: unknown) => this.#log.debug({ err: error }, 'a lease could not be ended: it lapses'))
  }

  #look(): void {
    const now = Date.now()
    if (this.#isBusy || now < this.#waitUntil) return
    this.#isBusy = true
    this.#working = this.#renew(now)
      .then(() => (now - this.#lapsedAt >= lapseEveryMs ? this.#lapse(now) : undefined))
      .catch((error: unknown) => {
        this.#waitUntil = Date.now() + retryMs
        this.#log.debug({ err: error }, 'presence could not be told: trying again')
      })
      .finally(() => {
        this.#isBusy = false
      })
  }

  async #renew(now: number): Promise<void> {
    const due: Lease[] = []
    this.#devices.forEach((device, deviceId) => {
      const lease = leaseOf(deviceId, device, now, this.#ttlMs)
      if (lease) due.push(lease)
      else if (device.visits.size === 0) this.#devices.delete(deviceId)
    })
    for (let told = 0; told < due.length; told += renewMax) {
      await this.#leases.renew(due.slice(told, told + renewMax)).catch((error: unknown) => {
        for (const { deviceId } of due.slice(told)) doubt(this.#devices.get(deviceId))
        throw error
      })
    }
  }

  /** Any node lets go of what lapsed anywhere, and keeps when those people were last active. */
  async #lapse(now: number): Promise<void> {
    this.#lapsedAt = now
    const lapsed = (await this.#leases.lapse()).filter(({ deviceId }) => !this.#devices.has(deviceId))
    if (lapsed.length === 0) return
    const [ids, times] = [lapsed.map(({ deviceId }) => deviceId), lapsed.map(({ activeAt }) => activeAt)]
    await this.#store.prisma.$executeRaw`
      update session s set last_used_at = greatest(s.last_used_at, to_timestamp(l.at / 1000.0))
        from unnest(${ids}::bigint[], ${times}::bigint[]) as l(id, at) where s.id = l.id`
  }
}

/** What was told of a device may be lost: it is told again. */
function doubt(device: Device | undefined): void {
  if (device) device.told = untold
}

/** What is to be told of a device now; null for nothing. Visits whose last sign is too old are over. */
function leaseOf(deviceId: number, device: Device, now: number, ttlMs: number): Lease | null {
  for (const visit of device.visits) if (visit.signAt + ttlMs <= now) device.visits.delete(visit)
  if (device.visits.size === 0) return null
  const visits = [...device.visits]
  const state = visits.every((visit) => isIdle(visit, now)) ? 'IDLE' : 'ONLINE'
  const signAt = Math.max(...visits.map((visit) => visit.signAt))
  const { told } = device
  if (state === told.state && (signAt === told.signAt || now - told.at < Math.min(renewEveryMs, ttlMs / 6))) return null
  device.told = { state, signAt, at: now }
  return {
    userId: device.userId,
    deviceId,
    state,
    activeAgoMs: now - Math.max(...visits.map((visit) => visit.activeAt)),
    lastsMs: signAt + ttlMs - now,
    mayBegin: visits.some((visit) => visit.mayBegin),
  }
}

function isIdle({ isResting, activeAt }: Noted, now: number): boolean {
  return isResting || now - activeAt >= idleAfterMs
}
