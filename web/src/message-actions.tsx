// What users do with a message: react, reply, forward, edit, pin, hide, report, delete. And its reactions, which are buttons too.

import { type Message, useStore } from 'parley-client/react'
import { type FormEvent, useState } from 'react'
import { useAction } from './ask.ts'
import { AddReaction, DeleteMessage, HideMessage, PinMessage, RemoveReaction, UnpinMessage } from './documents.ts'
import { useEncryption } from './encryption.ts'
import { ForwardDialog } from './forward.tsx'
import { usePlace } from './place.ts'
import type { Reference } from './reference.ts'
import { ReportDialog } from './report.tsx'
import { texts } from './texts.ts'

const emojis = ['👍', '❤️', '😂', '😮', '😢', '🎉'] as const

function useReact({ id: messageId, sealed }: Message) {
  const { run, request, problem } = useAction()
  const store = useStore()
  const { conversationId } = usePlace()
  const react = (emoji: string, isAdded: boolean) => {
    const input = { messageId, emoji }
    if (sealed && conversationId !== null) return run(() => store.change(conversationId, { type: 'reaction', ...input, isAdded }))
    return isAdded ? request(AddReaction, { input }) : request(RemoveReaction, { input })
  }
  return { react, problem }
}

export function Reactions({ message }: { message: Message }) {
  const { react, problem } = useReact(message)
  return (
    <div className="reactions">
      {message.reactions.map(({ id, emoji, count, viewerReacted, users }) => (
        <button
          key={id}
          {...{ type: 'button', 'aria-pressed': viewerReacted, 'aria-label': texts.reaction(emoji, count) }}
          title={users.map(({ displayName }) => displayName).join(', ')}
          onClick={() => void react(emoji, !viewerReacted)}
        >
          {emoji} {count}
        </button>
      ))}
      {problem !== null && <p className="problem">{problem}</p>}
    </div>
  )
}

type Props = {
  message: Message
  canEdit: boolean
  canDelete: boolean
  canPin: boolean
  onRefer: (reference: Reference) => void
  onClose: () => void
}

export function MessageActions({ message, canEdit, canDelete, canPin, onRefer, onClose }: Props) {
  const { react, problem } = useReact(message)
  const { actions } = useStore()
  const encryption = useEncryption()
  const change = useAction()
  const [opened, setOpened] = useState<'forward' | 'report' | null>(null)
  const add = (emoji: string) => void react(emoji, true).then((isDone) => isDone && onClose())
  const refer = (kind: Reference['kind']) => {
    onRefer({ kind, message })
    onClose()
  }
  const pin = () => {
    const input = { messageId: message.id }
    const pinning = message.pinnedAt ? change.request(UnpinMessage, { input }) : change.request(PinMessage, { input })
    void pinning.then((isDone) => isDone && onClose())
  }
  const remove = () => {
    if (confirm(texts.confirmDelete)) void change.request(DeleteMessage, { input: { messageId: message.id } })
  }
  const hide = () => {
    if (confirm(texts.confirmHide)) void change.request(HideMessage, { input: { messageId: message.id } })
  }
  if (opened === 'forward') return <ForwardDialog message={message} onClose={onClose} />
  if (opened === 'report') {
    // Moderators cannot read an encrypted message: this device tells them what it says.
    const reporter = message.sealed ? encryption : null
    const report = (reason: string) => reporter?.report(message.id, reason) ?? actions.reportMessage(message.id, reason)
    return <ReportDialog title={texts.reportMessage} {...{ report, onClose }} />
  }
  return (
    <div className="actions">
      {emojis.map((emoji) => (
        <button key={emoji} type="button" className="emoji" aria-label={`${texts.react} ${emoji}`} onClick={() => add(emoji)}>
          {emoji}
        </button>
      ))}
      <OtherEmoji onAdd={add} />
      <button type="button" onClick={() => refer('reply')}>
        {texts.reply}
      </button>
      {!message.sealed && (
        <button type="button" onClick={() => setOpened('forward')}>
          {texts.forward}
        </button>
      )}
      {canEdit && (
        <button type="button" onClick={() => refer('edit')}>
          {texts.edit}
        </button>
      )}
      {canPin && (
        <button type="button" onClick={pin}>
          {message.pinnedAt ? texts.unpin : texts.pin}
        </button>
      )}
      <button type="button" onClick={hide}>
        {texts.hide}
      </button>
      {!canEdit && (
        <button type="button" onClick={() => setOpened('report')}>
          {texts.report}
        </button>
      )}
      {canDelete && (
        <button type="button" className="danger" onClick={remove}>
          {texts.delete}
        </button>
      )}
      <p className="problem" role="alert">
        {problem ?? change.problem}
      </p>
    </div>
  )
}

function OtherEmoji({ onAdd }: { onAdd: (emoji: string) => void }) {
  const [emoji, setEmoji] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (emoji.trim() !== '') onAdd(emoji.trim())
  }
  return (
    <form onSubmit={submit}>
      <input
        {...{ placeholder: '🙂', 'aria-label': texts.otherEmoji, maxLength: 16, value: emoji }}
        onChange={({ target }) => setEmoji(target.value)}
      />
    </form>
  )
}
