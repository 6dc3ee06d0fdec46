// Reports a message or a person to the moderators of the server.

import { type FormEvent, useState } from 'react'
import { useAction } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { texts } from './texts.ts'

type Props = {
  title: string
  /** Sends the report. @throws ParleyFailure */
  report: (reason: string) => Promise<void>
  onClose: () => void
}

export function ReportDialog({ title, report, onClose }: Props) {
  const { run, isBusy, problem } = useAction()
  const [isSent, setIsSent] = useState(false)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const reason = String(new FormData(event.currentTarget).get('reason') ?? '').trim()
    if (reason !== '') void run(() => report(reason)).then(setIsSent)
  }
  return (
    <Dialog title={title} onClose={onClose}>
      {isSent ? (
        <>
          <p role="status">{texts.reported}</p>
          <button type="button" className="primary" onClick={onClose}>
            {texts.done}
          </button>
        </>
      ) : (
        <form onSubmit={submit}>
          <label>
            {texts.reason}
            <textarea name="reason" dir="auto" rows={4} required maxLength={1_000} />
          </label>
          <p className="faint">{texts.reportExplained}</p>
          <Problem text={problem} />
          <button type="submit" className="primary" disabled={isBusy}>
            {texts.report}
          </button>
        </form>
      )}
    </Dialog>
  )
}
