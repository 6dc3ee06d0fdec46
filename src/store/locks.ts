// The keys of Postgres advisory locks. Parley does not share its database, so no other program uses them there.

/**
 * The keys of the locks that TypeScript takes. `journal_lock` and `journal_trim` take theirs in SQL: (7021, 1) and (7021, 3).
 * test/store/functions.test.ts checks that each key is written in one place only.
 */
export const locks = {
  /** Held while a node brings the database up to date. */
  migrations: [7021, 2],
  /** Held while a node seeds a database. */
  seed: [7021, 4],
  /** Held by each statement that adds to the audit log, shared, and by a seal alone. */
  audit: [7021, 5],
  /** The first of two keys; the second is the hash of an endpoint. Held while a device registers for push. */
  pushEndpoint: 7022,
  /** The first of two keys; the second is made of the number of a file. Held while a request sends bytes of an upload. */
  upload: 7023,
  /** The first of two keys; the second is made of the number of a user. Held while a user's quota is checked and reserved. */
  quota: 7024,
} as const
