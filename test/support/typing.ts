// Who is typing, as a device sees it.

import { print } from 'graphql'
import type { Device } from './device.ts'
import { Typing } from './documents.ts'
import type { TypingSubscription } from './generated/graphql.ts'

/** Follows who is typing, over a separate socket. */
export function watchTyping(device: Device, conversationId: string) {
  const states: string[] = []
  const errors: unknown[] = []
  let isOver = false
  const client = device.socket()
  client.subscribe<TypingSubscription>(
    { query: print(Typing), variables: { conversationId } },
    {
      next: ({ data, errors: refused }) => {
        if (refused) errors.push(...refused)
        if (data) states.push(data.typing.users.map(({ username }) => username).join())
      },
      error: (error) => errors.push(error),
      complete: () => {
        isOver = true
      },
    },
  )
  const until = async (what: string, holds: () => boolean, limitMs = 5_000) => {
    for (const deadline = Date.now() + limitMs; Date.now() < deadline; ) {
      if (holds()) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`timed out waiting for ${what}; came: ${JSON.stringify({ states, errors, isOver })}`)
  }
  return {
    states,
    errors,
    until,
    shows: (who: string, limitMs?: number) => until(`"${who}"`, () => states.at(-1) === who, limitMs),
    isOver: () => isOver,
  }
}
