// What is left of encryption that the sweeper and the trimmer should have removed, for operators.

import { type Reader, statement } from '../store/reader.ts'

/** Counts of what is overdue. Each is 0 in an installation whose nodes run. */
export type EncryptionLeftovers = {
  /** Devices that are in groups, without a session or with one that has ended. */
  readonly devices: number
  /** Key packages of devices that are gone, and expired ones. */
  readonly keyPackages: number
  /** Welcomes from before the floor of the journal. */
  readonly welcomes: number
}

/** The sweeper and the trimmer run each minute: what is younger than this is not overdue. */
const dueAfter = "interval '10 minutes'"

const count = statement<EncryptionLeftovers>(
  'encryption_leftovers',
  `select
     (select count(*)::int from device d left join session s on s.id = d.session_id where d.removed_at is null
        and (s.id is null or s.revoked_at < now() - ${dueAfter} or s.expires_at < now() - ${dueAfter})) as devices,
     (select count(*)::int from key_package k join device d on d.id = k.device_id
       where d.removed_at < now() - ${dueAfter} or k.expires_at < now() - ${dueAfter}) as "keyPackages",
     (select count(*)::int from welcome where position <= (select floor from journal)) as welcomes`,
)

/** Counts what is overdue. */
export async function countLeftovers(reader: Reader): Promise<EncryptionLeftovers> {
  const [counts] = await reader.rows(count, [])
  return counts ?? { devices: 0, keyPackages: 0, welcomes: 0 }
}
