// The presence of users. The server refuses a subscription that names somebody whose presence the viewer may not see, so it is asked
// first who is visible.

import type { ParleyClient } from '../client.ts'
import type { PresenceSubscription } from '../generated/operations.ts'
import { askOf } from './ask.ts'
import * as documents from './documents.ts'
import { Retries } from './retries.ts'

/** How many users one subscription may name. */
const watchedMax = 200
/** How often to ask again if somebody becomes invisible between the question and the subscription. */
const attemptsMax = 3

/** Shows the presence of those users that the viewer may see, the first 200. @returns a function to stop */
export function watchPresence(
  client: ParleyClient,
  userIds: readonly string[],
  show: (presence: PresenceSubscription['presence']) => void,
): () => void {
  const ask = askOf(client)
  const retries = new Retries()
  const asked = { userIds: userIds.slice(0, watchedMax) }
  let isStopped = false
  let unsubscribe = () => {}
  const start = async (attempt: number) => {
    const { data } = await retries.run(
      () => ask(documents.VisiblePresence, asked),
      () => !isStopped,
    )
    const visible = data.nodes.flatMap((node) => (node?.__typename === 'User' && node.presence ? [node.id] : []))
    if (isStopped || visible.length === 0) return
    unsubscribe = client.subscribe(
      documents.Presence,
      { userIds: visible },
      {
        next: ({ presence }) => show(presence),
        failed: ({ code }) => {
          if (code === 'NOT_FOUND' && attempt < attemptsMax) begin(attempt + 1)
        },
      },
    )
  }
  // Refused for good, or stopped: nobody is shown.
  const begin = (attempt: number) => void start(attempt).catch(() => undefined)
  begin(1)
  return () => {
    isStopped = true
    retries.close()
    unsubscribe()
  }
}
