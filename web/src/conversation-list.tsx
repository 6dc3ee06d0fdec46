// The list of conversations, pinned ones first, then the latest. Each row reads its own conversation, so that a change of one renders one row.

import { type Conversation, useConversation, useConversations, usePresence, useStore, useViewer } from 'parley-client/react'
import { useState } from 'react'
import { useAction } from './ask.ts'
import { Avatar } from './avatar.tsx'
import { Icon } from './icon.tsx'
import { Menu } from './menu.tsx'
import { isMuted, nameOf, pictureOf, titleOf } from './names.ts'
import { goTo } from './place.ts'
import { texts } from './texts.ts'
import { shortTimeOf } from './time.ts'

/** The most people whose presence one subscription reports. */
const watchedMax = 200

export function ConversationList({ openId }: { openId: string | null }) {
  const store = useStore()
  const viewer = useViewer()
  const { ids, hasMore, loadMore } = useConversations()
  const [isArchive, setIsArchive] = useState(false)
  // One person whose presence may not be seen, as after a block, would end the subscription for all.
  const open = ids.map((id) => store.conversation(id)).filter((conversation) => conversation?.isClosed === false)
  const others = open.flatMap((conversation) => conversation?.otherUser?.id ?? []).slice(0, watchedMax)
  const presence = usePresence(others)
  const isOnline = (id: string) => presence.get(store.conversation(id)?.otherUser?.id ?? '')?.state === 'ONLINE'
  return (
    <div className="list">
      {viewer !== null && ids.length === 0 && <p className="empty">{texts.noConversations}</p>}
      <ul>
        {ids.map((id) => (
          <Row key={id} id={id} isOpen={id === openId} isArchive={isArchive} isOnline={isOnline(id)} />
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="link" onClick={() => void loadMore().catch(() => undefined)}>
          {texts.more}
        </button>
      )}
      <button type="button" className="link" aria-pressed={isArchive} onClick={() => setIsArchive(!isArchive)}>
        {texts.archived}
      </button>
    </div>
  )
}

type RowProps = { id: string; isOpen: boolean; isArchive: boolean; isOnline: boolean }

function Row({ id, isOpen, isArchive, isOnline }: RowProps) {
  const conversation = useConversation(id)
  if (!conversation || Boolean(conversation.viewerMembership?.archivedAt) !== isArchive) return null
  const { unreadCount, unreadCountIsExact, lastActivityAt, createdAt, viewerMembership } = conversation
  const count = unreadCountIsExact ? String(unreadCount) : `${unreadCount}+`
  return (
    <li className="listed">
      <button type="button" className="row" aria-current={isOpen} onClick={() => goTo(id)}>
        <Avatar {...pictureOf(conversation)} isOnline={isOnline} />
        <b dir="auto">{titleOf(conversation)}</b>
        <time>{shortTimeOf(lastActivityAt ?? createdAt)}</time>
        <LastMessage conversation={conversation} />
        <span className="signs">
          {viewerMembership?.pinnedAt && (
            <span role="img" aria-label={texts.pinned}>
              <Icon name="pin" />
            </span>
          )}
          {isMuted(conversation) && (
            <span role="img" aria-label={texts.muted}>
              <Icon name="muted" />
            </span>
          )}
          {unreadCount > 0 && (
            <span className="count" data-muted={isMuted(conversation)}>
              <span aria-hidden="true">{count}</span>
              <span className="unseen">{texts.unread(count)}</span>
            </span>
          )}
          {unreadCount === 0 && viewerMembership?.markedUnreadAt && (
            <span className="dot" role="img" aria-label={texts.markedUnread} />
          )}
        </span>
      </button>
      <RowMenu conversation={conversation} isOpen={isOpen} />
    </li>
  )
}

function RowMenu({ conversation, isOpen }: { conversation: Conversation; isOpen: boolean }) {
  const { id, viewerMembership } = conversation
  const { actions } = useStore()
  const { run, problem } = useAction()
  const [isPinned, isMarked] = [Boolean(viewerMembership?.pinnedAt), Boolean(viewerMembership?.markedUnreadAt)]
  const mark = async () => {
    // An open conversation is being read: a mark would make no sense until the user leaves it.
    if ((await run(() => actions.markUnread(id, !isMarked))) && !isMarked && isOpen) goTo(null)
  }
  return (
    <>
      <Menu label={texts.optionsOf(titleOf(conversation))} icon="dots">
        <button type="button" onClick={() => void run(() => actions.pinConversation(id, !isPinned))}>
          {isPinned ? texts.unpinFromTop : texts.pinToTop}
        </button>
        <button type="button" onClick={() => void mark()}>
          {isMarked ? texts.unmarkUnread : texts.markUnread}
        </button>
      </Menu>
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </>
  )
}

function LastMessage({ conversation: { lastMessage, kind, isClosed } }: { conversation: Conversation }) {
  const viewer = useViewer()
  if (!lastMessage) return <span className="last">{isClosed ? texts.closed : ''}</span>
  const isOwn = lastMessage.sender?.id === viewer?.id
  const who = isOwn ? `${texts.you}: ` : kind === 'GROUP' && lastMessage.kind === 'USER' ? `${nameOf(lastMessage.sender)}: ` : ''
  const [file] = lastMessage.attachments
  const text = lastMessage.deletedAt
    ? texts.deletedMessage
    : lastMessage.text || (file?.kind === 'IMAGE' ? texts.picture : texts.file)
  return (
    <span className="last" dir="auto">
      {who}
      {text}
    </span>
  )
}
