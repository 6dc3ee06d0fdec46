// The messages of a conversation, endless in both directions: it loads what is near the edges, marks as read what was visible, and shows
// where the unread begin.

import type { Conversation, Message, MessageView, Person } from 'parley-client/react'
import { useMarkers } from 'parley-client/react'
import { useEffect, useMemo, useState } from 'react'
import { Icon } from './icon.tsx'
import { type Delivery, MessageRow } from './message.tsx'
import { nameOf } from './names.ts'
import { PendingRow } from './pending.tsx'
import type { Reference } from './reference.ts'
import { useScrolling } from './scrolling.ts'
import { sentenceOf, texts } from './texts.ts'
import { dayKeyOf, dayOf } from './time.ts'

type Props = {
  conversation: Conversation
  viewer: Person
  view: MessageView
  /** A message to jump to. */
  messageId: string | null
  onRefer: (reference: Reference) => void
}

export function History({ conversation, viewer, view, messageId, onRefer }: Props) {
  const { messages, pending, hasOlder, hasNewer, isLoading, failure } = view
  const unreadAfter = useUnreadMark(conversation)
  const firstUnread = unreadAfter === null ? null : findFirstUnread(messages, unreadAfter, viewer.id)
  const isMarkLoaded = unreadAfter === null || !hasOlder || (messages[0]?.seq ?? 0) <= unreadAfter + 1
  const scrolling = useScrolling({
    id: conversation.id,
    view,
    messageId,
    startId: isMarkLoaded ? (firstUnread?.id ?? null) : null,
  })
  const deliveryOf = useDelivery(conversation, viewer.id)
  const load = () => void (messages.length === 0 ? view.showNewest() : view.loadOlder())
  return (
    <div className="history">
      <section ref={scrolling.box} className="scroll" aria-label={texts.messages} onScroll={scrolling.onScroll}>
        <div>
          {isLoading && messages.length === 0 && <p className="faint">{texts.loading}</p>}
          {!isLoading && !hasOlder && messages.length + pending.length === 0 && <p className="empty">{texts.noMessages}</p>}
          {failure && (
            <p className="problem" role="alert">
              {sentenceOf(failure)}{' '}
              <button type="button" className="link" onClick={load}>
                {texts.tryAgain}
              </button>
            </p>
          )}
          <ol>
            {messages.map((message, i) => (
              <MessageRow
                key={message.id}
                {...{ message, onRefer, ...placed(messages[i - 1], message), ...deliveryOf(message) }}
                isOwn={message.sender?.id === viewer.id}
                isGroup={conversation.kind === 'GROUP'}
                isFirstUnread={message.id === firstUnread?.id}
                isTarget={message.id === scrolling.targetId}
                canDelete={message.sender?.id === viewer.id || conversation.viewerCanDeleteOthersMessages}
                canPin={conversation.viewerCanPin}
              />
            ))}
            {!hasNewer && pending.map((message) => <PendingRow key={message.clientMessageId} message={message} />)}
          </ol>
        </div>
      </section>
      {!isMarkLoaded && unreadAfter !== null && (
        <button type="button" className="pill top" onClick={() => scrolling.jumpToSeq(unreadAfter + 1)}>
          {texts.firstUnread}
        </button>
      )}
      {(hasNewer || !scrolling.isAtEnd) && (
        <button type="button" className="pill end" aria-label={texts.newest} onClick={scrolling.toEnd}>
          <Icon name="down" />
          {conversation.unreadCount > 0 && conversation.unreadCount}
        </button>
      )}
      <Announcement last={messages.at(-1) ?? null} viewerId={viewer.id} />
    </div>
  )
}

/** The seq after which the unread messages begin, as it was when the user came; null if there were none. */
function useUnreadMark({ unreadCount, readSeq }: Conversation): number | null {
  const [mark, setMark] = useState(() => (unreadCount > 0 ? readSeq : null))
  useEffect(() => {
    const look = () => {
      if (!document.hidden && unreadCount > 0) setMark(readSeq)
    }
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [unreadCount, readSeq])
  return mark
}

const findFirstUnread = (messages: readonly Message[], after: number, viewerId: string) =>
  messages.find(({ seq, sender }) => seq > after && sender?.id !== viewerId) ?? null

/** How far apart messages of one sender are that stand together, in milliseconds. */
const togetherMs = 5 * 60_000

/** What the place of a message in the list says: whether a new day, or a new sender begins. */
function placed(before: Message | undefined, { createdAt, sender, kind }: Message): { day: string | null; isFirst: boolean } {
  const isNewDay = !before || dayKeyOf(before.createdAt) !== dayKeyOf(createdAt)
  const isLater = !before || Date.parse(createdAt) - Date.parse(before.createdAt) > togetherMs
  const isOther = before?.sender?.id !== sender?.id || before?.kind !== kind
  return { day: isNewDay ? dayOf(createdAt) : null, isFirst: isNewDay || isLater || isOther }
}

/** How far own messages have come. */
function useDelivery({ id, memberCount }: Conversation, viewerId: string): (message: Message) => Delivery {
  const { read, delivered } = useMarkers(id)
  return useMemo(() => {
    const others = (markers: ReadonlyMap<string, number>) =>
      [...markers].flatMap(([userId, seq]) => (userId === viewerId ? [] : [seq]))
    const [readers, receivers] = [others(read), others(delivered)]
    const none = { state: null, readCount: 0 }
    return ({ seq, sender, deletedAt }) => {
      if (sender?.id !== viewerId || deletedAt || memberCount < 2) return none
      const readCount = readers.filter((each) => each >= seq).length
      const isDelivered = receivers.some((each) => each >= seq)
      return { state: readCount > 0 ? 'read' : isDelivered ? 'delivered' : 'sent', readCount }
    }
  }, [read, delivered, memberCount, viewerId])
}

/** Tells screen readers of a message that arrives while the conversation is open. */
function Announcement({ last, viewerId }: { last: Message | null; viewerId: string }) {
  const [known] = useState(last?.seq ?? 0)
  const isNews = last !== null && last.seq > known && known > 0 && last.sender?.id !== viewerId && !last.deletedAt
  return (
    <p className="unseen" aria-live="polite">
      {isNews ? `${nameOf(last.sender)}: ${last.text || texts.file}` : ''}
    </p>
  )
}
