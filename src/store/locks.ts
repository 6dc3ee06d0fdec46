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
  /** The first of two keys; the second is the hash of an endpoint. Held while a device registers for push. */
  pushEndpoint: 7022,
} as const
