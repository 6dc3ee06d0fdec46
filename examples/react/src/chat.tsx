// A list of conversations, the messages of one, and a text field.

import {
  useConnectionState,
  useConversation,
  useConversations,
  useMessages,
  useSend,
  useTyping,
  useUnreadTotals,
} from 'parley-client/react'
import { type FormEvent, useEffect, useState } from 'react'

export function Chat() {
  const { ids, hasMore, loadMore } = useConversations()
  const { messages } = useUnreadTotals()
  const { status } = useConnectionState()
  const [open, setOpen] = useState<string | null>(null)
  return (
    <main>
      <nav>
        <h1>{messages > 0 ? `Chats (${messages})` : 'Chats'}</h1>
        {status !== 'LIVE' && <p role="status">Connecting …</p>}
        {ids.map((id) => (
          <Row key={id} id={id} isOpen={id === open} onOpen={() => setOpen(id)} />
        ))}
        {hasMore && (
          <button type="button" onClick={() => void loadMore()}>
            More
          </button>
        )}
      </nav>
      {open !== null && <Conversation key={open} id={open} />}
    </main>
  )
}

function Row({ id, isOpen, onOpen }: { id: string; isOpen: boolean; onOpen: () => void }) {
  const conversation = useConversation(id)
  if (!conversation) return null
  const { title, otherUser, unreadCount, lastMessage } = conversation
  return (
    <button type="button" aria-current={isOpen} onClick={onOpen}>
      <b>{title ?? otherUser?.displayName ?? 'Deleted account'}</b> {unreadCount > 0 && <i>{unreadCount}</i>}{' '}
      <q>{lastMessage?.text}</q>
    </button>
  )
}

function Conversation({ id }: { id: string }) {
  const { messages, pending, hasOlder, loadOlder, markRead } = useMessages(id)
  const { send, retry } = useSend(id)
  const { users, setTyping } = useTyping(id)
  const [text, setText] = useState('')
  const last = messages.at(-1)?.seq
  useEffect(() => {
    if (last !== undefined) void markRead(last)
  }, [last, markRead])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (text.trim() === '') return
    void send({ text })
    setText('')
    setTyping(false)
  }
  return (
    <section>
      {hasOlder && (
        <button type="button" onClick={() => void loadOlder()}>
          Earlier messages
        </button>
      )}
      <ol>
        {messages.map((message) => (
          <li key={message.id}>
            <b>{message.sender?.displayName ?? 'Deleted account'}</b> {message.deletedAt ? <i>deleted</i> : message.text}
          </li>
        ))}
        {pending.map(({ clientMessageId, input, status }) => (
          <li key={clientMessageId}>
            {input.text}{' '}
            {status === 'FAILED' ? (
              <button type="button" onClick={() => void retry(clientMessageId)}>
                Send again
              </button>
            ) : (
              <i>sending</i>
            )}
          </li>
        ))}
      </ol>
      <p>{users.map(({ displayName }) => `${displayName} is typing`).join(', ')}</p>
      <form onSubmit={submit}>
        <input
          aria-label="Message"
          value={text}
          onChange={({ target }) => {
            setText(target.value)
            setTyping(target.value !== '')
          }}
        />
        <button type="submit">Send</button>
      </form>
    </section>
  )
}
