// The pinned messages of a conversation, and how to jump to a day.

import type { Conversation } from 'parley-client/react'
import type { FormEvent } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { MessageAt, PinnedMessages, UnpinMessage } from './documents.ts'
import { nameOf } from './names.ts'
import { goTo } from './place.ts'
import { texts } from './texts.ts'
import { mediumTimeOf } from './time.ts'

type Props = { conversation: Conversation; onClose: () => void }

export function PinsDialog({ conversation, onClose }: Props) {
  const { id, viewerCanPin } = conversation
  // The store makes another object of the conversation when one of its messages changes.
  const { data, problem } = useAnswer(PinnedMessages, { id }, conversation)
  const { request, isBusy, problem: refused } = useAction()
  const pinned = data?.conversation?.pinnedMessages ?? []
  const jump = (messageId: string) => {
    onClose()
    goTo(id, messageId)
  }
  return (
    <Dialog title={texts.pinnedMessages} onClose={onClose}>
      <ul className="pins">
        {pinned.map(({ id: messageId, text, createdAt, sender, attachments: [file] }) => (
          <li key={messageId}>
            <button type="button" className="row found" onClick={() => jump(messageId)}>
              <b dir="auto">{nameOf(sender)}</b>
              <time dateTime={createdAt}>{mediumTimeOf(createdAt)}</time>
              <span className="last" dir="auto">
                {text || file?.fileName}
              </span>
            </button>
            {viewerCanPin && (
              <button
                {...{ type: 'button', disabled: isBusy, 'aria-label': `${texts.unpin}: ${text || file?.fileName}` }}
                onClick={() => void request(UnpinMessage, { input: { messageId } })}
              >
                {texts.unpin}
              </button>
            )}
          </li>
        ))}
      </ul>
      {data && pinned.length === 0 && <p className="faint">{texts.noPins}</p>}
      <Problem text={problem ?? refused} />
    </Dialog>
  )
}

/** Jumps to the first message of a day, or of the next day with messages. */
export function DateDialog({ conversation: { id }, onClose }: Props) {
  const { client, run, isBusy, problem } = useAction()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    // A date without a time zone is a day here.
    const at = new Date(`${String(new FormData(event.currentTarget).get('date'))}T00:00`).toISOString()
    void run(async () => {
      const { conversation } = await client.request(MessageAt, { id, at })
      const found = conversation?.messagesAround.nodes ?? []
      const message = found.find((each) => each.createdAt >= at) ?? found.at(-1)
      if (message) goTo(id, message.id)
      onClose()
    })
  }
  return (
    <Dialog title={texts.jumpToDate} onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          {texts.date}
          <input {...{ name: 'date', type: 'date', required: true, max: today() }} defaultValue={today()} />
        </label>
        <Problem text={problem} />
        <button type="submit" className="primary" disabled={isBusy}>
          {texts.jump}
        </button>
      </form>
    </Dialog>
  )
}

/** Today as a date field has it, in the time zone of the browser. */
function today(): string {
  const now = new Date()
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10)
}
