// What stands in for a Web Lock where a page has none: a lease in IndexedDB, which all tabs of an origin see. It is a row that
// says who has it and until when; it is taken in one transaction, and taken on while the work goes on.

import { openDatabase, run, store } from './indexed-db.ts'
import { Pause } from './pause.ts'
import { uuidv7 } from './uuid.ts'

type Lease = { readonly owner: string; readonly untilMs: number }
type Leases = Awaited<ReturnType<typeof openDatabase>>

const databaseName = 'parley-leases'
/** A tab that dies with a lease keeps the others out for so long. */
const leaseMs = 20_000
const extendMs = leaseMs / 4
const lookAgainMs = 100

/**
 * Does something while no other tab has the lease of the same name; at once where there is no IndexedDB, or the browser refuses
 * it. A tab whose timers stand still for longer than a lease may lose it while it works.
 * @param limit ends the wait
 * @throws why the wait was ended, and what `work` throws
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

/** Takes a lease, or takes it on. @returns whether it is ours */
async function take(leases: Leases, name: string, owner: string): Promise<boolean> {
  let isOurs = false
  await run(leases, 'readwrite', (rows) => {
    const asked = rows.get(name)
    asked.onsuccess = () => {
      const held = asked.result as Lease | undefined
      const leftMs = (held?.untilMs ?? 0) - Date.now()
      // More than a whole lease is left where the clock was set back.
      isOurs = held?.owner === owner || leftMs <= 0 || leftMs > leaseMs
      if (isOurs) rows.put({ owner, untilMs: Date.now() + leaseMs }, name)
    }
  })
  return isOurs
}

function give(leases: Leases, name: string, owner: string): Promise<void> {
  return run(leases, 'readwrite', (rows) => {
    const asked = rows.get(name)
    asked.onsuccess = () => {
      if ((asked.result as Lease | undefined)?.owner === owner) rows.delete(name)
    }
  })
}
