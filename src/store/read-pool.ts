// The connections to a standby, for reads that need not come from the primary.

import type { Log } from '../log/log.ts'
import { poolSizes } from './pool-sizes.ts'
import { openPool } from './postgres.ts'
import { type Reader, readerOn } from './reader.ts'

/** Reads from a standby. */
export type ReadPool = { readonly reader: Reader; close(): Promise<void> }

/** Opens the pool, which connects when first used. */
export function openReadPool(databaseUrl: string, log: Log): ReadPool {
  const pool = openPool(databaseUrl, 'standby', poolSizes.shared, log, 'set default_transaction_read_only = on')
  return { reader: readerOn(pool), close: () => pool.end() }
}
