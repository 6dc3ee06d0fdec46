// Who may write in a group, and how often: the settings of the group, what a member sees of them, and the bans.

import { type Conversation, type MessageList, useStore } from 'parley-client/react'
import { useEffect, useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Problem } from './dialog.tsx'
import { Bans, UpdateConversation } from './documents.ts'
import { nameOf } from './names.ts'
import { texts } from './texts.ts'
import { durationOf } from './time.ts'

/** The pauses that the settings offer, in seconds. */
const pauses = [0, 5, 10, 30, 60, 300, 900, 3_600, 21_600] as const

/** The rules of a group, to change for those who may. */
export function PostingRules({ conversation }: { conversation: Conversation }) {
  const { id: conversationId, slowModeS, announcementsOnly, viewerCanEditConversation } = conversation
  const { request, problem } = useAction()
  if (!viewerCanEditConversation) {
    return (
      <>
        {announcementsOnly && <p className="faint">{texts.announcementsOnly}</p>}
        {slowModeS > 0 && <p className="faint">{texts.slowModeOf(durationOf(slowModeS))}</p>}
      </>
    )
  }
  const offered = pauses.some((each) => each === slowModeS) ? pauses : [...pauses, slowModeS].sort((a, b) => a - b)
  return (
    <section>
      <label className="check">
        <input
          type="checkbox"
          checked={announcementsOnly}
          onChange={({ target }) =>
            void request(UpdateConversation, { input: { conversationId, announcementsOnly: target.checked } })
          }
        />
        {texts.announcementsOnly}
      </label>
      <label>
        {texts.slowMode}
        <select
          value={slowModeS}
          onChange={({ target }) =>
            void request(UpdateConversation, { input: { conversationId, slowModeS: Number(target.value) } })
          }
        >
          {offered.map((each) => (
            <option key={each} value={each}>
              {each === 0 ? texts.off : durationOf(each)}
            </option>
          ))}
        </select>
      </label>
      <Problem text={problem} />
    </section>
  )
}

/** Who cannot come back to a group, and how to lift their bans. Nothing if there is nobody. */
export function BanList({ conversation }: { conversation: Conversation }) {
  const { id } = conversation
  const { actions } = useStore()
  // The store reads a conversation again when its bans have changed.
  const { data, problem } = useAnswer(Bans, { id }, conversation)
  const { run, isBusy, problem: refused } = useAction()
  const banned = data?.conversation?.bans.nodes.flatMap(({ user }) => user ?? []) ?? []
  if (banned.length === 0) return null
  return (
    <section>
      <h3>{texts.banned}</h3>
      <ul className="people">
        {banned.map((user) => (
          <li key={user.id}>
            <span className="names">
              <b dir="auto">{nameOf(user)}</b>
              <small>@{user.username}</small>
            </span>
            <button
              {...{ type: 'button', disabled: isBusy, 'aria-label': `${texts.unban}: ${user.displayName}` }}
              onClick={() => void run(() => actions.unban(id, user.id))}
            >
              {texts.unban}
            </button>
          </li>
        ))}
      </ul>
      <Problem text={problem ?? refused} />
    </section>
  )
}

const oneSecondMs = 1_000

/**
 * How many seconds the user has to wait before the next message in slow mode; 0: none. The clock of this device may differ from that of
 * the server: a message that is sent too early waits in the outbox.
 */
export function useSlowMode(conversation: Conversation, { messages, pending }: MessageList, viewerId: string): number {
  const { slowModeS, viewerMembership, lastMessage } = conversation
  const [now, setNow] = useState(Date.now)
  const isHeld = slowModeS > 0 && viewerMembership?.role === 'MEMBER'
  const isOwn = ({ sender }: { readonly sender: { readonly id: string } | null }) => sender?.id === viewerId
  const sent = [messages.findLast(isOwn), lastMessage && isOwn(lastMessage) ? lastMessage : null]
  const times = [
    ...sent.flatMap((message) => (message ? [Date.parse(message.createdAt)] : [])),
    ...pending.flatMap(({ status, queuedAt }) => (status === 'FAILED' ? [] : [queuedAt.getTime()])),
  ]
  const until = isHeld && times.length > 0 ? Math.max(...times) + slowModeS * oneSecondMs : 0
  useEffect(() => {
    let timer = 0
    const tick = () => {
      setNow(Date.now())
      if (Date.now() >= until) clearInterval(timer)
    }
    if (Date.now() < until) timer = window.setInterval(tick, oneSecondMs)
    tick()
    return () => clearInterval(timer)
  }, [until])
  return Math.min(slowModeS, Math.max(0, Math.ceil((until - now) / oneSecondMs)))
}

/** Says how long the user has to wait. Screen readers do not count the seconds aloud. */
export function SlowModeLine({ waitS }: { waitS: number }) {
  return (
    <p className="slow" role="timer">
      {texts.slowModeWait(durationOf(waitS))}
    </p>
  )
}
