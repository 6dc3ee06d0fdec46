// A report with what was said around it, and the decision about it. Each look at it is in the audit log, so it is read when it is opened.

import { type FormEvent, useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Problem } from './dialog.tsx'
import type { ReportAction, ReportWithMessagesQuery, UserRole } from './generated/graphql.ts'
import { ReportWithMessages, ResolveReport } from './moderation-documents.ts'
import { AuditList, endOf, LiftButton, SuspensionFields } from './moderation-user.tsx'
import { nameOf } from './names.ts'
import { endpoint } from './session.ts'
import { texts } from './texts.ts'
import { mediumTimeOf } from './time.ts'

type Report = ReportWithMessagesQuery['report']
type Props = { id: string; role: UserRole; onDecided: () => void }

export function ReportDetails({ id, role, onDecided }: Props) {
  const { data, problem } = useAnswer(ReportWithMessages, { id })
  if (!data) return problem === null ? <p className="faint">{texts.loading}</p> : <Problem text={problem} />
  const { report } = data
  return (
    <div className="case">
      {report.messages.length > 0 && (
        <ol aria-label={texts.reportedMessages}>
          {report.messages.map((message) => (
            <Copy key={message.messageId} message={message} />
          ))}
        </ol>
      )}
      {report.resolvedAt === null ? <Decision {...{ report, onDecided }} /> : <Outcome {...{ report, role }} />}
    </div>
  )
}

function Copy({ message }: { message: Report['messages'][number] }) {
  const { isReported, text, claimedText, createdAt, editedAt, deletedAt, sender, attachments } = message
  return (
    <li data-reported={isReported}>
      {isReported && <span className="unseen">{texts.reportedHere}</span>}
      <b dir="auto">{nameOf(sender)}</b> <time dateTime={createdAt}>{mediumTimeOf(createdAt)}</time>
      {editedAt && ` · ${texts.edited}`}
      <p className="text" dir="auto">
        {deletedAt ? texts.deletedMessage : text}
      </p>
      {claimedText != null && (
        <p className="text" dir="auto">
          <small>{texts.claimedText}:</small> {claimedText}
        </p>
      )}
      {attachments.map(({ id, fileName, url }) =>
        url == null ? (
          <span key={id} dir="auto">
            {fileName}
          </span>
        ) : (
          <a key={id} dir="auto" href={new URL(url, endpoint).href} target="_blank" rel="noreferrer">
            {fileName}
          </a>
        ),
      )}
    </li>
  )
}

function Decision({ report, onDecided }: { report: Report; onDecided: () => void }) {
  const { id: reportId, messageId, user } = report
  const { request, isBusy, problem } = useAction()
  const [isRemoving, setIsRemoving] = useState(false)
  const [end, setEnd] = useState('')
  const isDismissal = !isRemoving && end === ''
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '').trim() || null
    const actions: ReportAction[] = [
      ...(isRemoving ? ['REMOVE_MESSAGE' as const] : []),
      ...(end ? ['SUSPEND_USER' as const] : []),
    ]
    const suspension = end ? { suspendedUntil: endOf(end), suspensionReason: text('suspensionReason') } : {}
    void request(ResolveReport, { input: { reportId, actions, note: text('note'), ...suspension } }).then(
      (isDone) => isDone && onDecided(),
    )
  }
  return (
    <form onSubmit={submit}>
      {messageId !== null && (
        <label className="check">
          <input type="checkbox" checked={isRemoving} onChange={({ target }) => setIsRemoving(target.checked)} />
          {texts.removeReported}
        </label>
      )}
      {user && <SuspensionFields end={end} onEnd={setEnd} />}
      <label>
        {texts.note}
        <input name="note" dir="auto" maxLength={1_000} autoComplete="off" />
      </label>
      <Problem text={problem} />
      <button type="submit" className="primary" disabled={isBusy}>
        {isDismissal ? texts.dismiss : texts.decide}
      </button>
    </form>
  )
}

/** What was decided, and how to undo a suspension. */
function Outcome({ report, role }: { report: Report; role: UserRole }) {
  const { actions, note, resolvedAt, resolvedBy, user } = report
  const did = actions.map((action) => texts.reportActions[action]).join(', ') || texts.dismissed
  return (
    <>
      <p>
        {did} · {resolvedBy ? nameOf(resolvedBy) : texts.aServer} · {resolvedAt && mediumTimeOf(resolvedAt)}
      </p>
      {note && <p dir="auto">{note}</p>}
      {user && actions.includes('SUSPEND_USER') && <LiftButton userId={user.id} />}
      {user && role === 'ADMIN' && <AuditList subject={user.id} />}
    </>
  )
}
