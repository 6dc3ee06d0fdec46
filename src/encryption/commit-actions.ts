// Commits a new epoch of an encrypted conversation. The server does not read the commit: it only puts it in its place.

import { limited } from '../bus/counters.ts'
import type { Done } from '../conversation/actions.ts'
import { refusalOf } from '../conversation/refusal.ts'
import { ParleyError } from '../errors.ts'
import type { ConversationId, DeviceId, UserId } from '../id.ts'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import type { SessionViewer } from '../viewer.ts'
import { findOwnDevice } from './access.ts'
import { type CommitInput, commitProcedure, type WelcomeInput } from './commit.ts'
import { noDevice } from './device-actions.ts'
import { encryptionRates, type OwnDeviceRow } from './row.ts'

/** A commit, as a client sends it. */
export type Commit = Omit<CommitInput, 'senderId' | 'deviceId' | 'welcomes'> & {
  readonly welcomes: readonly Omit<WelcomeInput, 'userId'>[]
}

const owners = statement<{ id: DeviceId; userId: UserId }>(
  'device_owners',
  'select id, user_id as "userId" from device where id = any($1::bigint[]) and removed_at is null',
)

/**
 * Commits an epoch, if the one that the commit was made for is still the newest. The same commit again returns the first place and
 * changes nothing.
 * @throws ParleyError EPOCH_CONFLICT with the cursor of what came first; NOT_FOUND, FORBIDDEN without a device, ENCRYPTION_REQUIRED for
 *   a plain conversation, RATE_LIMITED, UNAVAILABLE
 */
export async function commitEpoch(by: SessionViewer, commit: Commit, app: App): Promise<Done> {
  const { id: deviceId } = await requireDeviceIn(by, commit.conversationId, app)
  const welcomes = await ownersOf(commit, app)
  const counted = {
    limit: { name: 'commits', most: encryptionRates.commits, periodS: 3_600 },
    key: String(by.userId),
    refusal: 'You have committed too often. Try again later.',
  }
  const input = { ...commit, senderId: by.userId, deviceId, welcomes }
  return limited(app.counters, counted, async () => {
    const outcome = await app.journal.append(commitProcedure, by.userId, input)
    switch (outcome.status) {
      case 'DONE':
      case 'REPEATED':
        return { conversationId: commit.conversationId, place: outcome.place }
      case 'CONFLICT':
        throw conflict(outcome.place, app)
      case 'NOT_MEMBER':
        throw await refusalOf(by.userId, commit, app)
      case 'WELCOMES_STRANGER':
        throw new ParleyError('NOT_FOUND', 'A user that you welcome is not in this conversation: add them first.', {
          argument: 'input.welcomes',
        })
      case 'NOT_ENCRYPTED':
        throw new ParleyError('ENCRYPTION_REQUIRED', 'This conversation is not encrypted.', { argument: 'input.conversationId' })
    }
  })
}

const inAudience = statement<{ one: number }>(
  'commit_in_audience',
  'select 1 as one from current_audience where conversation_id = $1 and user_id = $2',
)

/** The device of the session. @throws ParleyError FORBIDDEN without one; for others than members, as for any write */
async function requireDeviceIn(by: SessionViewer, conversationId: ConversationId, app: App): Promise<OwnDeviceRow> {
  const { reader } = app.store
  const device = await findOwnDevice(by, reader)
  if (device) return device
  const isMember = (await reader.rows(inAudience, [conversationId, by.userId])).length > 0
  throw isMember ? noDevice() : await refusalOf(by.userId, { conversationId }, app)
}

function conflict(place: Place | null, { journal }: App): ParleyError {
  const message = 'Another commit came first, or somebody left: apply what you have not seen, and commit again.'
  return new ParleyError('EPOCH_CONFLICT', message, place === null ? {} : { cursor: journal.cursor(place) })
}

/** The Welcomes with the users of their devices. @throws ParleyError NOT_FOUND for a device that does not exist or was removed */
async function ownersOf({ welcomes }: Commit, { store }: App): Promise<WelcomeInput[]> {
  if (welcomes.length === 0) return []
  const rows = await store.reader.rows(owners, [welcomes.map(({ deviceId }) => deviceId)])
  const known = new Map(rows.map(({ id, userId }) => [id, userId]))
  return welcomes.map((each, i) => {
    const userId = known.get(each.deviceId)
    if (userId !== undefined) return { ...each, userId }
    throw new ParleyError('NOT_FOUND', 'Device not found.', { argument: `input.welcomes.${i}.deviceId` })
  })
}
