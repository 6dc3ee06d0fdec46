// The page of moderators: the reports to decide, those that were decided, and what was done about a user. It is loaded when it is opened.

import { useRef, useState } from 'react'
import { useAnswer } from './ask.ts'
import { BackButton } from './conversation.tsx'
import { Problem } from './dialog.tsx'
import type { ReportsQuery, UserRole } from './generated/graphql.ts'
import { Reports } from './moderation-documents.ts'
import { ReportDetails } from './moderation-report.tsx'
import { UserLookup } from './moderation-user.tsx'
import { nameOf } from './names.ts'
import { texts } from './texts.ts'
import { mediumTimeOf } from './time.ts'
import './moderation.css'

const pageSize = 20

export function ModerationPage({ role }: { role: UserRole }) {
  const [isResolved, setIsResolved] = useState(false)
  const [turn, setTurn] = useState(0)
  const [notice, setNotice] = useState('')
  const heading = useRef<HTMLHeadingElement>(null)
  const refresh = () => {
    setNotice('')
    setTurn(turn + 1)
  }
  const decided = () => {
    setTurn(turn + 1)
    setNotice(texts.decided)
    // The report has gone, and the focus with it.
    heading.current?.focus()
  }
  return (
    <>
      <header className="bar">
        <BackButton />
        <div className="names">
          <h1>{texts.moderation}</h1>
        </div>
        <button type="button" onClick={refresh}>
          {texts.refresh}
        </button>
      </header>
      <div className="moderation">
        <section>
          <h2 ref={heading} tabIndex={-1}>
            {texts.reports}
          </h2>
          <p className="choices">
            <button type="button" aria-pressed={!isResolved} onClick={() => setIsResolved(false)}>
              {texts.openReports}
            </button>
            <button type="button" aria-pressed={isResolved} onClick={() => setIsResolved(true)}>
              {texts.resolvedReports}
            </button>
          </p>
          <p role="status">{notice}</p>
          <ReportPage key={String(isResolved)} edge={null} {...{ isResolved, turn, role }} onDecided={decided} />
        </section>
        <UserLookup role={role} />
      </div>
    </>
  )
}

type PageProps = {
  isResolved: boolean
  /** Where the page begins; null for the first. */
  edge: string | null
  /** The reports are read again when it changes. */
  turn: number
  role: UserRole
  onDecided: () => void
}

/** A page of reports, and the next one below it: the oldest that is open first, the newest that was resolved. */
function ReportPage(props: PageProps) {
  const { isResolved, edge, turn } = props
  const way = isResolved ? { last: pageSize, before: edge } : { first: pageSize, after: edge }
  const { data, problem } = useAnswer(Reports, { isResolved, ...way }, turn)
  const [isMore, setIsMore] = useState(false)
  if (!data) return problem === null ? <p className="faint">{texts.loading}</p> : <Problem text={problem} />
  const { nodes, pageInfo } = data.reports
  const { hasNextPage, endCursor, hasPreviousPage, startCursor } = pageInfo
  const next = isResolved ? hasPreviousPage && startCursor : hasNextPage && endCursor
  return (
    <>
      {nodes.length === 0 && edge === null && <p className="faint">{texts.noReports}</p>}
      <ul className="reports">
        {(isResolved ? nodes.toReversed() : nodes).map((report) => (
          <ReportRow key={report.id} report={report} {...props} />
        ))}
      </ul>
      <Problem text={problem} />
      {next && isMore && <ReportPage {...props} edge={next} />}
      {next && !isMore && (
        <button type="button" className="link" onClick={() => setIsMore(true)}>
          {texts.more}
        </button>
      )}
    </>
  )
}

type RowProps = Pick<PageProps, 'role' | 'onDecided'> & { report: ReportsQuery['reports']['nodes'][number] }

function ReportRow({ report, role, onDecided }: RowProps) {
  const { id, reason, createdAt, messageId, reporter, user } = report
  const [isOpen, setIsOpen] = useState(false)
  const what = messageId === null ? texts.reportOfUser(nameOf(user)) : texts.reportOfMessage(nameOf(user))
  return (
    <li>
      <button type="button" className="report" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <b dir="auto">{what}</b>
        <time dateTime={createdAt}>{mediumTimeOf(createdAt)}</time>
        <span dir="auto">
          {reporter ? nameOf(reporter) : texts.noReporter}: {reason}
        </span>
      </button>
      {isOpen && <ReportDetails {...{ id, role, onDecided }} />}
    </li>
  )
}
