// Commits of encrypted groups: the parameters and the result of the SQL procedure journal_commit_batch.

import type { ConversationId, DeviceId, Position, UserId } from '../id.ts'
import type { Procedure } from '../journal/append.ts'
import type { Fact, Place } from '../journal/fact.ts'
import { type EpochPayload, encryptionKinds, type WelcomePayload } from './events.ts'

/** A Welcome for a device that a commit adds. */
export type WelcomeInput = { readonly deviceId: DeviceId; readonly userId: UserId; readonly welcome: Buffer }

/** A commit. The schema has checked its form. */
export type CommitInput = {
  readonly conversationId: ConversationId
  readonly senderId: UserId
  readonly deviceId: DeviceId
  /** The epoch that it was made for, and ends. */
  readonly epoch: number
  readonly commit: Buffer
  readonly groupInfo: Buffer
  /** Up to where the device knew the conversation; null if it does not say. */
  readonly seen: Position | null
  readonly welcomes: readonly WelcomeInput[]
}

/** The outcome of a commit. A conflict has the place of what came first, if the journal still keeps it. */
export type CommitOutcome =
  | { readonly status: 'DONE' | 'REPEATED'; readonly place: Place }
  | { readonly status: 'CONFLICT'; readonly place: Place | null }
  | { readonly status: 'NOT_MEMBER' | 'WELCOMES_STRANGER' | 'NOT_ENCRYPTED' }

type CommitBatchRow = {
  positions: (Position | null)[]
  tags: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

const bytesOf = ({ commit, groupInfo, welcomes }: CommitInput) =>
  200 + commit.length + groupInfo.length + welcomes.reduce((sum, { welcome }) => sum + 200 + welcome.length, 0)

/** The procedure for commits. The key is the sender. */
export const commitProcedure: Procedure<CommitInput, CommitOutcome, CommitBatchRow> = {
  name: 'journal_commit_batch',
  text: 'call journal_commit_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, null, null, null, null, null, null)',
  bytesOf,
  values(inputs) {
    const welcomes = inputs.flatMap((input, i) => input.welcomes.map((each) => ({ ...each, input: i + 1 })))
    return [
      inputs.map((i) => i.conversationId),
      inputs.map((i) => i.senderId),
      inputs.map((i) => i.deviceId),
      inputs.map((i) => i.epoch),
      inputs.map((i) => i.commit),
      inputs.map((i) => i.groupInfo),
      inputs.map((i) => i.seen ?? 0),
      welcomes.map((w) => w.input),
      welcomes.map((w) => w.deviceId),
      welcomes.map((w) => w.userId),
      welcomes.map((w) => w.welcome),
    ]
  },
  read(row, inputs) {
    const facts: Fact[] = []
    const outcomes = inputs.map((input, i): CommitOutcome => {
      const [position, tag, status] = [row.positions[i], row.tags[i], row.statuses[i] ?? 3]
      const place = position == null || tag == null ? null : { position, tag }
      if (status === 2) return { status: 'CONFLICT', place }
      if (status > 1 || place === null) {
        return { status: status === 5 ? 'WELCOMES_STRANGER' : status === 8 ? 'NOT_ENCRYPTED' : 'NOT_MEMBER' }
      }
      if (status === 1) return { status: 'REPEATED', place }
      facts.push(...factsOf(input, place, row.at.getTime()))
      return { status: 'DONE', place }
    })
    return { outcomes, batch: facts.length === 0 ? null : { previousTag: row.previous_tag, facts, rows: [] } }
  },
}

/** The facts of a commit: its own, and at the next positions those of its Welcomes. */
function factsOf(input: CommitInput, { position, tag }: Place, occurredAt: number): Fact[] {
  const { conversationId, senderId: actorId } = input
  const epoch = input.epoch + 1
  const common = { tag, occurredAt, actorId, audienceChange: 0 }
  const committed: Fact = {
    ...common,
    position,
    kind: encryptionKinds.EpochCommitted.number,
    conversationId,
    userId: null,
    subjectId: input.deviceId,
    payload: { epoch } satisfies EpochPayload,
  }
  const received = input.welcomes.map(
    ({ deviceId, userId }, i): Fact => ({
      ...common,
      position: (position + 1 + i) as Position,
      kind: encryptionKinds.WelcomeReceived.number,
      conversationId: null,
      userId,
      subjectId: deviceId,
      payload: { conversationId, epoch } satisfies WelcomePayload,
    }),
  )
  return [committed, ...received]
}
