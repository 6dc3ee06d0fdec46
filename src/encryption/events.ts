// The kinds of facts of encrypted conversations and devices. Commits are hot writes, so the numbers 41 and 42 are also in SQL, in
// journal_commit.

import type { ConversationId, DeviceId, UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import { defineKinds, withPayload } from '../journal/kind.ts'

/** The payload of DevicesChanged, whose subject is the device. */
export type DevicesPayload = { readonly userId: UserId; readonly change: 'ADDED' | 'REMOVED' }

/** The payload of EpochCommitted, whose subject is the device that committed. The commit itself is in `epoch_commit`. */
export type EpochPayload = { readonly epoch: number }

/** The payload of WelcomeReceived, whose subject is the device that is welcomed. The Welcome itself is in `welcome`. */
export type WelcomePayload = { readonly conversationId: ConversationId; readonly epoch: number }

/** The kinds of facts of encrypted conversations and devices. */
export const encryptionKinds = defineKinds({
  DevicesChanged: withPayload<DevicesPayload>({ number: 40 }),
  EpochCommitted: withPayload<EpochPayload>({ number: 41 }),
  WelcomeReceived: withPayload<WelcomePayload>({ number: 42, changesEarlierEvents: false }),
})

/**
 * A device of a user appeared or is gone. The user receives this, and everybody in the user's encrypted conversations, once for each.
 * Those need a commit without a device that is gone. The facts have no actor: the user may leave a conversation at this moment.
 */
export function devicesChanged(
  userId: UserId,
  deviceId: DeviceId,
  change: DevicesPayload['change'],
  conversationIds: readonly ConversationId[],
): NewFact[] {
  const fact = {
    kind: encryptionKinds.DevicesChanged.number,
    subject_id: deviceId,
    payload: { userId, change } satisfies DevicesPayload,
  }
  const rekey = change === 'REMOVED' ? ({ rekey: true } as const) : {}
  return [{ ...fact, user_id: userId }, ...conversationIds.map((id) => ({ ...fact, conversation_id: id, ...rekey }))]
}
