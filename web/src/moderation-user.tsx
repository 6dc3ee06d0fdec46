// A user for moderators: suspend, lift a suspension, and what was done about them before, as for an appeal.

import { type FormEvent, useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Problem } from './dialog.tsx'
import { FindUser } from './documents.ts'
import type { AuditTrailQuery, UserRole } from './generated/graphql.ts'
import { AuditTrail, Names, SuspendUser, UnsuspendUser } from './moderation-documents.ts'
import { texts, UnknownUser } from './texts.ts'
import { mediumTimeOf } from './time.ts'

/** For how many days the form suspends; null: until a moderator lifts it. */
const spans = { day: 1, week: 7, month: 30, lifted: null } as const
type Span = keyof typeof spans

const oneDayMs = 24 * 3_600_000

/** When a suspension of a chosen length ends; null: when it is lifted. */
export function endOf(span: string): string | null {
  const days = Object.entries(spans).find(([name]) => name === span)?.[1] ?? null
  return days === null ? null : new Date(Date.now() + days * oneDayMs).toISOString()
}

/** How long to suspend a user, and why. Without a length, they are not suspended. */
export function SuspensionFields({ end, onEnd }: { end: string; onEnd: (end: string) => void }) {
  return (
    <>
      <label>
        {texts.suspension}
        <select value={end} onChange={({ target }) => onEnd(target.value)}>
          <option value="">{texts.noSuspension}</option>
          {(Object.keys(spans) as Span[]).map((span) => (
            <option key={span} value={span}>
              {texts.suspensionSpans[span]}
            </option>
          ))}
        </select>
      </label>
      {end !== '' && (
        <label>
          {texts.suspensionReason}
          <input name="suspensionReason" dir="auto" maxLength={500} autoComplete="off" />
        </label>
      )}
    </>
  )
}

/** Lifts the suspension of a user. @param onDone called when it is lifted */
export function LiftButton({ userId, onDone }: { userId: string; onDone?: () => void }) {
  const { request, isBusy, problem } = useAction()
  const [isLifted, setIsLifted] = useState(false)
  const lift = () =>
    void request(UnsuspendUser, { input: { userId } }).then((isDone) => {
      setIsLifted(isDone)
      if (isDone) onDone?.()
    })
  return (
    <>
      <button type="button" disabled={isBusy} onClick={lift}>
        {texts.liftSuspension}
      </button>
      <span role="status">{isLifted ? texts.lifted : ''}</span>
      <Problem text={problem} />
    </>
  )
}

type FoundUser = { readonly id: string; readonly username: string; readonly displayName: string }

export function UserLookup({ role }: { role: UserRole }) {
  const { client, run, isBusy, problem } = useAction()
  const [found, setFound] = useState<FoundUser | null>(null)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const username = String(new FormData(event.currentTarget).get('username') ?? '').trim()
    void run(async () => {
      const { user } = await client.request(FindUser, { username: username.replace(/^@/, '') })
      setFound(user ?? null)
      if (!user) throw new UnknownUser(username)
    })
  }
  return (
    <section>
      <h2>{texts.aUser}</h2>
      <form className="inline" onSubmit={submit}>
        <input
          {...{ name: 'username', 'aria-label': texts.username, placeholder: texts.username, required: true }}
          {...{ autoComplete: 'off', autoCapitalize: 'none', spellCheck: false }}
        />
        <button type="submit" disabled={isBusy}>
          {texts.look}
        </button>
      </form>
      <Problem text={problem} />
      {found && <UserPanel key={found.id} user={found} role={role} />}
    </section>
  )
}

function UserPanel({ user, role }: { user: FoundUser; role: UserRole }) {
  const { request, isBusy, problem } = useAction()
  const [end, setEnd] = useState('')
  const [turn, setTurn] = useState(0)
  const [isSuspended, setIsSuspended] = useState(false)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const reason = String(new FormData(event.currentTarget).get('suspensionReason') ?? '').trim() || null
    void request(SuspendUser, { input: { userId: user.id, until: endOf(end), reason } }).then((isDone) => {
      setIsSuspended(isDone)
      if (isDone) setTurn((now) => now + 1)
    })
  }
  return (
    <div className="case">
      <h3 dir="auto">
        {user.displayName} <small>@{user.username}</small>
      </h3>
      <form onSubmit={submit}>
        <SuspensionFields end={end} onEnd={setEnd} />
        <Problem text={problem} />
        <button type="submit" className="danger" disabled={isBusy || end === ''}>
          {texts.suspend}
        </button>
        <span role="status">{isSuspended ? texts.suspended : ''}</span>
      </form>
      <LiftButton userId={user.id} onDone={() => setTurn((now) => now + 1)} />
      {role === 'ADMIN' && <AuditList subject={user.id} turn={turn} />}
    </div>
  )
}

type AuditEntry = AuditTrailQuery['auditLog']['nodes'][number]

/** What was done about a user, the latest first. Only for administrators. */
export function AuditList({ subject, turn = 0 }: { subject: string; turn?: number }) {
  const { data, problem } = useAnswer(AuditTrail, { subject }, turn)
  const entries = data?.auditLog.nodes.toReversed() ?? []
  const ids = [...new Set(entries.flatMap(({ userId }) => userId ?? []))]
  const names = useAnswer(Names, { ids }).data?.nodes ?? []
  const whoOf = ({ actor, userId }: AuditEntry) => {
    const user = names.find((node) => node?.__typename === 'User' && node.id === userId)
    return user?.__typename === 'User' ? user.displayName : texts.auditActors[actor]
  }
  return (
    <section>
      <h3>{texts.auditLog}</h3>
      {data && entries.length === 0 && <p className="faint">{texts.noAudit}</p>}
      <ul className="audit">
        {entries.map((entry) => (
          <li key={`${entry.at} ${entry.action}`}>
            <time dateTime={entry.at}>{mediumTimeOf(entry.at)}</time> {nameOfAction(entry.action)} ·{' '}
            <span dir="auto">{whoOf(entry)}</span>
          </li>
        ))}
      </ul>
      <Problem text={problem} />
    </section>
  )
}

/** An action in words; one that this page does not know as the server names it. */
function nameOfAction(action: string): string {
  const known: { readonly [action: string]: string | undefined } = texts.auditActions
  return known[action] ?? action
}
