// The scope of a journal: installation, database and epoch. Topics and keys in Redis begin with it, to keep two installations on
// one Redis apart, even if one database is a copy of the other: a dump copies the epoch with the rows, but not Postgres's own
// identity of the database. Only PARLEY_INSTALLATION distinguishes a copy of Postgres's files.

import { createHash } from 'node:crypto'
import { isTransient } from '../store/postgres.ts'
import { type Reader, statement } from '../store/reader.ts'

const cluster = statement<{ id: string }>('cluster_id', 'select system_identifier::text as id from pg_control_system()')
// A restored table has another OID, even if a new server gives its first database the same OID as the old server did.
const database = statement<{ id: string }>(
  'database_id',
  "select d.oid || '.' || 'fact'::regclass::oid as id from pg_database d where d.datname = current_database()",
)

/** Identifies a database, even among those restored from a dump of it. */
export async function readIdentity(reader: Reader): Promise<string> {
  const [own] = await reader.rows(database, [])
  // Some managed services do not provide this.
  const [server] = await reader.rows(cluster, []).catch((error: unknown) => {
    if (isTransient(error)) throw error
    return [{ id: '' }]
  })
  return `${server?.id ?? ''}.${own?.id ?? ''}`
}

/** The beginning of a journal's topic and key names. */
export function scopeOf(installation: string, identity: string, epoch: string): string {
  const place = createHash('sha256').update(`${identity} ${epoch}`).digest('base64url').slice(0, 22)
  return `parley:${installation}:${place}`
}
