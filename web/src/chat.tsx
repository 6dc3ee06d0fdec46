// The chat of the user who is logged in: the conversations at the side, and the open one. A narrow window shows one of the two.

import { useConnectionState, useUnreadTotals } from 'parley-client/react'
import { lazy, Suspense, useEffect } from 'react'
import { OpenConversation } from './conversation.tsx'
import { InviteDialog } from './invite.tsx'
import { answerWorker } from './notifications.ts'
import { usePlace } from './place.ts'
import { useRole } from './role.ts'
import { Sidebar } from './sidebar.tsx'
import { texts } from './texts.ts'

const ModerationPage = lazy(async () => ({ default: (await import('./moderation.tsx')).ModerationPage }))

export function Chat() {
  const { conversationId, messageId, invite, isModeration } = usePlace()
  const { messages } = useUnreadTotals()
  const { status } = useConnectionState()
  useEffect(() => {
    document.title = messages > 0 ? `(${messages}) Parley` : 'Parley'
  }, [messages])
  useEffect(answerWorker, [])
  return (
    <div className="chat" data-open={conversationId !== null || isModeration} data-status={status}>
      <Sidebar openId={conversationId} />
      <main>
        {isModeration && <Moderation />}
        {!isModeration && conversationId === null && <p className="empty">{texts.choose}</p>}
        {conversationId !== null && <OpenConversation key={conversationId} id={conversationId} messageId={messageId} />}
      </main>
      {invite !== null && <InviteDialog token={invite} />}
    </div>
  )
}

/** The page of moderators. For others there is none. */
function Moderation() {
  const role = useRole()
  if (role === 'USER') return <p className="empty">{texts.choose}</p>
  return (
    <Suspense fallback={<p className="empty">{texts.loading}</p>}>
      <ModerationPage role={role} />
    </Suspense>
  )
}
