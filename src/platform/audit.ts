// The audit log: who did what through a server key, as a moderator or on the command line. An entry is written before the change that it is about, unless
// the change itself makes what the entry names. It has ids only.
//
// Entries are committed without waiting for the disk: their change commits later, and its flush takes them along. A seal is a hash of
// the entries since the seal before it, and of that seal, so that nobody can change or remove an entry unnoticed (`parley doctor`).

import type { Moderator } from '../account/moderators.ts'
import type { Context } from '../graphql/context.ts'
import { encodeId, type ServerKeyId, type UserId } from '../id.ts'
import type { Log } from '../log/log.ts'
import type { App } from '../parts.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { locks } from '../store/locks.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { Store } from '../store/store.ts'

declare module '../parts.ts' {
  interface App {
    readonly audit: AuditLog
  }
}

/** Who did it: a server key, an operator on the command line, or a moderator. */
export const auditActors = ['KEY', 'OPERATOR', 'USER'] as const
/** One of them. */
export type AuditActor = (typeof auditActors)[number]

/** What an entry says. */
export type AuditEntry = {
  readonly actor: AuditActor
  readonly keyId: ServerKeyId | null
  /** The moderator, or the user on whose behalf the key acts. */
  readonly userId: UserId | null
  /** The name of the mutation, or of the command. */
  readonly action: string
  /** Global ids of what it is about. */
  readonly subjects: readonly string[]
}

/** The audit log of a node. */
export type AuditLog = {
  /** Writes an entry. */
  record(entry: AuditEntry): Promise<void>
  close(): Promise<void>
}

const sealEveryMs = 60_000
const sealAfterMs = 1_000
/** The most entries of one seal. */
const sealedMax = 10_000

// The lock keeps a seal from passing over an entry whose id it has seen skipped: it waits for the statements that insert.
const insert = statement(
  'audit_record',
  `with lock as (select pg_advisory_xact_lock_shared(${locks.audit.join(', ')}))
   insert into audit_entry(actor, key_id, user_id, action, subjects) select $1, $2, $3, $4, $5 from lock`,
)
const entryText = `jsonb_build_array(e.id, to_char(e.at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US'), e.actor, e.key_id, e.user_id,
  e.action, to_jsonb(e.subjects))::text`
const hashAfter = (before: string, texts: string) => `sha256(${before} || convert_to(${texts}, 'UTF8'))`
const lockAll = statement('audit_lock', `select pg_advisory_xact_lock(${locks.audit.join(', ')})`)
const seal = statement<{ entries: number }>(
  'audit_seal',
  `with last as (
     select coalesce(max(number), 0) as number, coalesce(max(upto), 0) as upto from audit_seal),
   covered as (
     select e.id, ${entryText} as text from audit_entry e, last where e.id > last.upto order by e.id limit ${sealedMax})
   insert into audit_seal(number, upto, entries, hash)
     select last.number + 1, max(c.id), count(*),
            ${hashAfter("coalesce((select s.hash from audit_seal s where s.number = last.number), '')", "string_agg(c.text, E'\\n' order by c.id)")}
       from covered c, last group by last.number
     returning entries`,
)
const broken = statement<{ number: number }>(
  'audit_broken_seal',
  `select s.number from audit_seal s
     left join audit_seal p on p.number = s.number - 1
    cross join lateral (
      select count(*) as entries, max(e.id) as upto, string_agg(${entryText}, E'\\n' order by e.id) as texts
        from audit_entry e where e.id > coalesce(p.upto, 0) and e.id <= s.upto) found
    where (s.number > 1 and p.number is null) or found.entries <> s.entries or found.upto <> s.upto
       or s.hash <> ${hashAfter("coalesce(p.hash, '')", 'found.texts')}
    order by s.number limit 1`,
)

/** Writes an entry. */
export async function recordEntry(reader: Reader, { actor, keyId, userId, action, subjects }: AuditEntry): Promise<void> {
  await reader.rows(insert, [actor, keyId, userId, action, subjects])
}

/** Seals the entries that no seal covers yet. */
async function sealEntries(store: Store): Promise<void> {
  for (let entries = sealedMax; entries === sealedMax; ) {
    entries = await store.jobs.transaction(async (tx) => {
      await tx.rows(lockAll, [])
      const [sealed] = await tx.rows(seal, [])
      return sealed?.entries ?? 0
    })
  }
}

/** Finds the first seal whose entries are no longer those that it sealed; null if all are. */
export async function findBrokenSeal(reader: Reader): Promise<number | null> {
  const [found] = await reader.rows(broken, [])
  return found?.number ?? null
}

/** Opens the audit log of a node. It seals what any node has recorded. */
export function openAudit(store: Store, log: Log): AuditLog {
  const failure = 'the audit log could not be sealed'
  const run = () => sealEntries(store)
  const loop = new BackgroundLoop({ everyMs: sealEveryMs, gatherMs: sealAfterMs, failure, run }, log)
  return {
    async record(entry) {
      await recordEntry(store.jobs.reader, entry)
      loop.wake()
    },
    close: () => loop.close(),
  }
}

/** Records what a server key that acts for itself does. */
export async function audited({ app, caller }: Context, action: string, subjects: readonly string[]): Promise<void> {
  await app.audit.record({ actor: 'KEY', keyId: caller.key?.id ?? null, userId: null, action, subjects })
}

/** Records what a moderator does. */
export async function recordModeration(app: App, by: Moderator, action: string, subjects: readonly string[]): Promise<void> {
  await app.audit.record({ actor: by.userId === null ? 'KEY' : 'USER', keyId: by.keyId, userId: by.userId, action, subjects })
}

/** The global ids of users. */
export const userIds = (ids: readonly UserId[]) => ids.map((id) => encodeId('User', id))
