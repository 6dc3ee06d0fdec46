// The open conversation: who it is with, its messages, and the text to send.

import { type Conversation, useConversation, useMessages, usePresence, useStore, useTyping, useViewer } from 'parley-client/react'
import { useEffect, useRef, useState } from 'react'
import { useAction } from './ask.ts'
import { Avatar } from './avatar.tsx'
import { Composer } from './composer.tsx'
import { DetailsDialog } from './details.tsx'
import { ArchiveConversation, MuteConversation } from './documents.ts'
import { EncryptionDialog } from './encryption-dialog.tsx'
import { History } from './history.tsx'
import { Icon } from './icon.tsx'
import { Menu } from './menu.tsx'
import { isMuted, pictureOf, titleOf } from './names.ts'
import { closeNotifications } from './notifications.ts'
import { DateDialog, PinsDialog } from './pins.tsx'
import { goTo } from './place.ts'
import type { Reference } from './reference.ts'
import { texts } from './texts.ts'

export function OpenConversation({ id, messageId }: { id: string; messageId: string | null }) {
  const viewer = useViewer()
  const conversation = useConversation(id)
  const view = useMessages(id)
  const { users, setTyping } = useTyping(id)
  const [reference, setReference] = useState<Reference | null>(null)
  useSeenNotifications(id)
  useOpenedMark(conversation)
  if (!conversation || !viewer)
    return (
      <>
        <header className="bar">
          <BackButton />
        </header>
        <p className="empty">{texts.loading}</p>
      </>
    )
  const names = users.map(({ displayName }) => displayName).join(', ')
  return (
    <>
      <Header conversation={conversation} />
      <History {...{ conversation, viewer, view, messageId }} onRefer={setReference} />
      <p className="typing" role="status" dir="auto">
        {names === '' ? '' : texts.typing(names)}
      </p>
      {conversation.isClosed || (!conversation.viewerCanSend && reference?.kind !== 'edit') ? (
        <p className="closed">{conversation.isClosed ? texts.closedConversation : texts.announcementsOnly}</p>
      ) : (
        <Composer
          {...{ conversation, view, viewerId: viewer.id, reference, setReference, setTyping }}
          // What is sent belongs below the newest messages.
          onSend={() => (view.hasNewer ? void view.showNewest() : undefined)}
        />
      )}
    </>
  )
}

/** Closes the notifications of the conversation while the user sees it. */
function useSeenNotifications(id: string): void {
  useEffect(() => {
    const look = () => {
      if (!document.hidden) closeNotifications(id).catch(() => undefined)
    }
    look()
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [id])
}

/** Takes the unread mark away when the conversation is opened; a mark that is made later stays. */
function useOpenedMark(conversation: Conversation | null): void {
  const { actions } = useStore()
  const isOpened = useRef(false)
  useEffect(() => {
    if (!conversation || isOpened.current) return
    isOpened.current = true
    // If it fails, the next time it is opened does it.
    if (conversation.viewerMembership?.markedUnreadAt) actions.markUnread(conversation.id, false).catch(() => undefined)
  }, [actions, conversation])
}

/** Leads back to the list. */
export function BackButton() {
  return (
    <button type="button" className="round back" aria-label={texts.back} onClick={() => goTo(null)}>
      <Icon name="back" />
    </button>
  )
}

function Header({ conversation }: { conversation: Conversation }) {
  const { id, kind, otherUser, memberCount, isClosed, viewerMembership } = conversation
  const { request, problem } = useAction()
  const [opened, setOpened] = useState<'details' | 'pins' | 'date' | 'encryption' | null>(null)
  const isEncrypted = conversation.encryption === 'MLS'
  const presence = usePresence(otherUser && !isClosed ? [otherUser.id] : [])
  const isOnline = presence.get(otherUser?.id ?? '')?.state === 'ONLINE'
  const onClose = () => setOpened(null)
  const muted = isMuted(conversation)
  const isArchived = Boolean(viewerMembership?.archivedAt)
  const about =
    kind === 'GROUP' ? texts.memberCount(memberCount) : isOnline ? texts.online : otherUser && `@${otherUser.username}`
  return (
    <header className="bar">
      <BackButton />
      <Avatar {...pictureOf(conversation)} isOnline={isOnline} />
      <div className="names">
        <h1 dir="auto">{titleOf(conversation)}</h1>
        <p className="faint">{problem ?? about}</p>
      </div>
      {isEncrypted && (
        <button
          {...{ type: 'button', className: 'round', 'aria-label': texts.encryption }}
          onClick={() => setOpened('encryption')}
        >
          <Icon name="lock" />
        </button>
      )}
      <Menu label={texts.menu} icon="dots">
        <button type="button" onClick={() => setOpened('details')}>
          {texts.details}
        </button>
        <button type="button" onClick={() => setOpened('pins')}>
          {texts.pinnedMessages}
        </button>
        <button type="button" onClick={() => setOpened('date')}>
          {texts.jumpToDate}
        </button>
        <button
          type="button"
          onClick={() => void request(MuteConversation, { input: { conversationId: id, until: muted ? null : farAway } })}
        >
          {muted ? texts.unmute : texts.mute}
        </button>
        <button
          type="button"
          onClick={() => void request(ArchiveConversation, { input: { conversationId: id, archived: !isArchived } })}
        >
          {isArchived ? texts.unarchive : texts.archive}
        </button>
      </Menu>
      {opened === 'encryption' && <EncryptionDialog {...{ conversation, onClose }} />}
      {opened === 'details' && <DetailsDialog {...{ conversation, onClose }} />}
      {opened === 'pins' && <PinsDialog {...{ conversation, onClose }} />}
      {opened === 'date' && <DateDialog {...{ conversation, onClose }} />}
    </header>
  )
}

/** When a mute ends that the user did not limit. */
const farAway = '2100-01-01T00:00:00.000Z'
