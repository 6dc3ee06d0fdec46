// One message: who sent it and when, what it answers, its text and files, its reactions, and what may be done with it.

import { isForwarded, type Message } from 'parley-client/react'
import { memo, useState } from 'react'
import { Attachments } from './attachments.tsx'
import { Avatar } from './avatar.tsx'
import { Icon } from './icon.tsx'
import { Mention, mention } from './mentions.tsx'
import { MessageActions, Reactions } from './message-actions.tsx'
import { nameOf } from './names.ts'
import { goTo } from './place.ts'
import type { Reference } from './reference.ts'
import { SealedFiles, SealedNote } from './sealed.tsx'
import { texts } from './texts.ts'
import { clockOf, wholeTimeOf } from './time.ts'

/** How far an own message has come, and how many others have read it; null for messages of others. */
export type Delivery = { readonly state: 'sent' | 'delivered' | 'read' | null; readonly readCount: number }

type Props = Delivery & {
  message: Message
  /** The day that begins with this message. */
  day: string | null
  /** Whether it begins what its sender says. */
  isFirst: boolean
  isOwn: boolean
  isGroup: boolean
  isFirstUnread: boolean
  /** Whether the user has jumped to it. */
  isTarget: boolean
  canDelete: boolean
  canPin: boolean
  onRefer: (reference: Reference) => void
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { message, day, isFirst, isOwn, isGroup, isFirstUnread, isTarget } = props
  const { sender, kind } = message
  const isOthers = !isOwn && kind === 'USER'
  const classes = [kind === 'SYSTEM' ? 'system' : isOwn ? 'own' : 'other', isFirst && 'first', isTarget && 'target']
  return (
    <li className={`message ${classes.filter(Boolean).join(' ')}`} data-id={message.id} data-seq={message.seq}>
      {day !== null && <p className="day">{day}</p>}
      {isFirstUnread && <p className="new">{texts.newMessages}</p>}
      {isOthers && isFirst && <Avatar id={sender?.id ?? ''} name={nameOf(sender)} picture={sender?.avatar ?? null} />}
      {isFirst && isOthers && (
        <b className={isGroup ? 'sender' : 'unseen'} dir="auto">
          {nameOf(sender)}
        </b>
      )}
      {isOwn && <b className="unseen">{texts.you}</b>}
      <Content {...props} />
    </li>
  )
})

function Content({ message, isOwn, state, readCount, isGroup, canDelete, canPin, onRefer }: Props) {
  const [isOpen, setIsOpen] = useState(false)
  const { text, deletedAt, editedAt, createdAt, attachments, replyTo, kind } = message
  const hasActions = !deletedAt && kind === 'USER'
  return (
    <>
      <div className="line">
        <div className="bubble">
          {!deletedAt && isForwarded(message) && (
            <p className="forwarded">
              <Icon name="forward" />
              {texts.forwarded}
            </p>
          )}
          {replyTo && !deletedAt && <Quote replyTo={replyTo} />}
          {deletedAt ? (
            <p className="deleted">{texts.deletedMessage}</p>
          ) : (
            text !== '' && <Text text={text} mentions={message.mentions} />
          )}
          {message.sealed && !deletedAt && <SealedNote sealed={message.sealed} />}
          {!deletedAt &&
            attachments.length > 0 &&
            (message.sealed ? <SealedFiles message={message} /> : <Attachments attachments={attachments} />)}
          <p className="meta">
            {message.pinnedAt && !deletedAt && (
              <span className="state" role="img" aria-label={texts.pinned} title={texts.pinned}>
                <Icon name="pin" />
              </span>
            )}
            {editedAt && !deletedAt && `${texts.edited} · `}
            <time dateTime={createdAt} title={wholeTimeOf(createdAt)}>
              {clockOf(createdAt)}
            </time>
            {state && <State {...{ state, readCount, isGroup }} />}
          </p>
        </div>
        {hasActions && (
          <button
            {...{ type: 'button', className: 'round more', 'aria-label': texts.actions, 'aria-expanded': isOpen }}
            onClick={() => setIsOpen(!isOpen)}
          >
            <Icon name="dots" />
          </button>
        )}
      </div>
      {isOpen && hasActions && (
        <MessageActions {...{ message, canDelete, canPin, onRefer }} canEdit={isOwn} onClose={() => setIsOpen(false)} />
      )}
      {!deletedAt && message.reactions.length > 0 && <Reactions message={message} />}
    </>
  )
}

function State({ state, readCount, isGroup }: { state: 'sent' | 'delivered' | 'read'; readCount: number; isGroup: boolean }) {
  const label = state === 'read' && isGroup ? texts.readBy(readCount) : texts[state]
  return (
    <span className={`state ${state}`} role="img" aria-label={label} title={label}>
      <Icon name={state === 'sent' ? 'check' : 'checks'} />
    </span>
  )
}

function Quote({ replyTo }: { replyTo: NonNullable<Message['replyTo']> }) {
  const jump = () => {
    const [, , conversationId = null] = location.hash.split('/')
    if (conversationId !== null) goTo(decodeURIComponent(conversationId), replyTo.id)
  }
  return (
    <button type="button" className="quote" onClick={jump}>
      <b dir="auto">{nameOf(replyTo.sender)}</b>
      <span dir="auto">{replyTo.deletedAt ? texts.deletedMessage : replyTo.text || texts.file}</span>
    </button>
  )
}

const address = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]]/
const special = new RegExp(`(${address.source}|${mention.source})`, 'i')

/** A text, with its web addresses as links, and the names of the people that it mentions. */
function Text({ text, mentions }: Pick<Message, 'text' | 'mentions'>) {
  const partOf = (part: string, i: number) => {
    if (i % 2 === 0) return part
    const person = mentions.find(({ username }) => part.toLowerCase() === `@${username}`)
    if (person) return <Mention key={i} person={person} />
    if (part.startsWith('@')) return part
    return (
      <a key={i} href={part} target="_blank" rel="noreferrer">
        {part}
      </a>
    )
  }
  return (
    <p className="text" dir="auto">
      {text.split(special).map(partOf)}
    </p>
  )
}
