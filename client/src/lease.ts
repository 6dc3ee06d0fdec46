// A substitute for Web Locks on pages that have none: a lease in IndexedDB, which all tabs of an origin see. A lease is a row
// with its owner and its end; a tab takes it in one transaction, and extends it while it works.

import { openDatabase, run, store } from './indexed-db.ts'
import { Pause } from './pause.ts'
import { uuidv7 } from './uuid.ts'

type StoredLease = { readonly owner: string; readonly untilMs: number }
type LeaseDatabase = Awaited<ReturnType<typeof openDatabase>>

const databaseName = 'parley-leases'
/** How long a lease lasts: a tab that dies with one blocks the others for this long. */
const leaseMs = 20_000
const extendMs = leaseMs / 4
const lookAgainMs = 100

/**
 * Runs `work` while no other tab has the lease of this name. Without IndexedDB, it runs `work` at once. A tab whose timers
 * stop for longer than a lease may lose it while it works.
 * @param limit aborts the wait
 * @throws the reason of the abort, and whatever `work` throws
 */
export async function withLease<T>(name: string, limit: AbortSignal, work: () => Promise<T>): Promise<T> {
  const leases = await openDatabase(databaseName, (made) => void made.createObjectStore(store)).catch(() => null)
  if (!leases) return work()
  const owner = uuidv7()
  try {
    while (!(await take(leases, name, owner))) {
      limit.throwIfAborted()
      await new Pause().wait(lookAgainMs * (0.5 + Math.random()))
    }
    const extending = setInterval(() => void take(leases, name, owner).catch(() => undefined), extendMs)
    try {
      return await work()
    } finally {
      clearInterval(extending)
      await give(leases, name, owner).catch(() => undefined)
    }
  } finally {
    leases.close()
  }
}

/** Takes or extends a lease. @returns whether it is ours now */
async function take(leases: LeaseDatabase, name: string, owner: string): Promise<boolean> {
  let isOurs = false
  await run(leases, 'readwrite', (rows) => {
    const request = rows.get(name)
    request.onsuccess = () => {
      const held = request.result as StoredLease | undefined
      const leftMs = (held?.untilMs ?? 0) - Date.now()
      // If more than a whole lease is left, the clock was set back.
      isOurs = held?.owner === owner || leftMs <= 0 || leftMs > leaseMs
      if (isOurs) rows.put({ owner, untilMs: Date.now() + leaseMs }, name)
    }
  })
  return isOurs
}

function give(leases: LeaseDatabase, name: string, owner: string): Promise<void> {
  return run(leases, 'readwrite', (rows) => {
    const request = rows.get(name)
    request.onsuccess = () => {
      if ((request.result as StoredLease | undefined)?.owner === owner) rows.delete(name)
    }
  })
}
