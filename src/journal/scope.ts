// Where a journal is: this installation, this database, this epoch. Topics and keys in Redis carry it, so that nodes of two
// installations on one Redis do not meet, even where the one database is a copy of the other. The epoch is copied with the
// rows; what Postgres itself knows of the database is not. A copy of Postgres's files is told apart by PARLEY_INSTALLATION alone.

import { createHash } from 'node:crypto'
import { isTransient } from '../store/postgres.ts'
import { type Reader, statement } from '../store/reader.ts'

const cluster = statement<{ id: string }>('cluster_id', 'select system_identifier::text as id from pg_control_system()')
// A restored table has another oid, also where a new server gives its first database the same oid as the old one did.
const database = statement<{ id: string }>(
  'database_id',
  "select d.oid || '.' || 'fact'::regclass::oid as id from pg_database d where d.datname = current_database()",
)

/** What tells a database from every other one, also from those that were dumped from it or to it. */
export async function readIdentity(reader: Reader): Promise<string> {
  const [own] = await reader.rows(database, [])
  // Some managed services do not offer it.
  const [server] = await reader.rows(cluster, []).catch((error: unknown) => {
    if (isTransient(error)) throw error
    return [{ id: '' }]
  })
  return `${server?.id ?? ''}.${own?.id ?? ''}`
}

/** What the names of topics and keys of a journal begin with. */
export function scopeOf(installation: string, identity: string, epoch: string): string {
  const place = createHash('sha256').update(`${identity} ${epoch}`).digest('base64url').slice(0, 22)
  return `parley:${installation}:${place}`
}
