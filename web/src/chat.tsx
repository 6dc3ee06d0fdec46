// The chat of the user who is logged in: the conversations at the side, and the open one. A narrow window shows one of the two.

import { useConnectionState, useUnreadTotals } from 'parley-client/react'
import { useEffect } from 'react'
import { OpenConversation } from './conversation.tsx'
import { InviteDialog } from './invite.tsx'
import { answerWorker } from './notifications.ts'
import { usePlace } from './place.ts'
import { Sidebar } from './sidebar.tsx'
import { texts } from './texts.ts'

export function Chat() {
  const { conversationId, messageId, invite } = usePlace()
  const { messages } = useUnreadTotals()
  const { status } = useConnectionState()
  useEffect(() => {
    document.title = messages > 0 ? `(${messages}) Parley` : 'Parley'
  }, [messages])
  useEffect(answerWorker, [])
  return (
    <div className="chat" data-open={conversationId !== null} data-status={status}>
      <Sidebar openId={conversationId} />
      <main>
        {conversationId === null ? (
          <p className="empty">{texts.choose}</p>
        ) : (
          <OpenConversation key={conversationId} id={conversationId} messageId={messageId} />
        )}
      </main>
      {invite !== null && <InviteDialog token={invite} />}
    </div>
  )
}
