// Checks the encrypted group of a chaos run: each epoch has one commit and one set of keys; those who were in an epoch have read all that
// was said in it; and nobody has the keys of an epoch that began after they were gone.

import type pg from 'pg'
import { kindsByName } from '../../src/features.ts'
import { encodeId, messageIdOf, parseId } from '../../src/id.ts'
import type { RunRecord } from './record.ts'
import type { SealedDevice, SealedSend } from './sealed-device.ts'

type Message = { readonly position: number; readonly epoch: number; readonly key: string; readonly senderId: number }
type Interval = { readonly from: number; readonly to: number }

/** What the journal says of the group. */
export type SealedState = {
  readonly messages: readonly Message[]
  /** The epochs of its commits, in their order, and where each began. */
  readonly epochs: readonly { readonly epoch: number; readonly position: number }[]
  /** When each user was a member. */
  readonly intervals: ReadonlyMap<number, readonly Interval[]>
}

/** Checks the group. */
export async function checkSealed(
  sql: pg.Client,
  conversationId: string,
  devices: readonly SealedDevice[],
  record: RunRecord,
): Promise<void> {
  const state = await readSealedState(sql, parseId('Conversation', conversationId, 'id'))
  checkEpochs(state, devices, record)
  checkStored(state, devices, record)
  await checkReaders(state, devices, record)
}

async function readSealedState(sql: pg.Client, id: number): Promise<SealedState> {
  const { rows: messages } = await sql.query<{ [column in 'id' | 'sender_id']: string } & { epoch: number; key: string }>(
    'select id, sender_id, epoch, client_message_id as key from message where conversation_id = $1 order by id',
    [id],
  )
  const { rows: commits } = await sql.query<{ position: string; epoch: number }>(
    `select position, (payload->>'epoch')::int as epoch from fact where conversation_id = $1 and kind = $2 order by position`,
    [id, kindsByName.EpochCommitted.number],
  )
  const { rows: moves } = await sql.query<{ [column in 'position' | 'user']: string } & { change: number }>(
    `select position, subject_id as "user", audience_change as change from fact
     where conversation_id = $1 and audience_change <> 0 order by position`,
    [id],
  )
  const intervals = new Map<number, Interval[]>()
  for (const { user, position, change } of moves) {
    const mine = intervals.get(Number(user)) ?? []
    intervals.set(Number(user), mine)
    const last = mine.pop()
    if (change > 0) mine.push(...(last ? [last] : []), { from: Number(position), to: Number.POSITIVE_INFINITY })
    else if (last) mine.push({ from: last.from, to: Number(position) })
  }
  return {
    messages: messages.map(({ id: position, sender_id, ...rest }) => ({
      ...rest,
      position: Number(position),
      senderId: Number(sender_id),
    })),
    epochs: commits.map(({ epoch, position }) => ({ epoch, position: Number(position) })),
    intervals,
  }
}

/** One commit won each epoch, and everybody who was in it has the same keys. */
function checkEpochs({ epochs }: SealedState, devices: readonly SealedDevice[], record: RunRecord): void {
  record.count('sealed commits', epochs.length)
  for (const [i, { epoch, position }] of epochs.entries()) {
    if (epoch !== i + 1) record.violation(`the commit at ${position} began the epoch ${epoch}, expected ${i + 1}`)
    const keys = new Set(devices.flatMap((device) => [...(device.epochs.get(epoch) ?? [])]))
    if (keys.size > 1) record.violation(`devices have ${keys.size} different keys of the epoch ${epoch}`)
  }
}

/** Each send that was answered is stored once, and each that was refused is not. */
function checkStored({ messages }: SealedState, devices: readonly SealedDevice[], record: RunRecord): void {
  for (const { clientMessageId, text, isSent, messageId, device } of devices.flatMap(({ sends }) => sends)) {
    const found = messages.filter(({ key, senderId }) => key === clientMessageId && senderId === device.user.userId)
    const [first] = found
    const due = isSent ? 1 : 0
    if (isSent !== null && found.length !== due) {
      record.violation(`D1 "${text}" was ${isSent ? 'sent' : 'refused'}, and is stored ${found.length} times`)
    }
    if (first && messageId !== null && messageIdAt(first.position) !== messageId) {
      record.violation(`D2 "${text}" was acknowledged as ${messageId}, and is stored at ${first.position}`)
    }
  }
}

/** Who could read a message has read it, and nobody else. */
async function checkReaders(state: SealedState, devices: readonly SealedDevice[], record: RunRecord): Promise<void> {
  const sends = new Map<string, SealedSend>()
  for (const { sends: own } of devices) for (const send of own) sends.set(send.clientMessageId, send)
  for (const message of state.messages) {
    const { epoch, key, position } = message
    const text = sends.get(key)?.text
    if (text === undefined) record.violation(`D1 the message at ${position} was sent by nobody`)
    for (const device of devices) {
      const access = accessOf(state, device, message)
      const shown = await device.textOf(messageIdAt(position))
      const what = `${device.name}, "${text}" of the epoch ${epoch} at ${position}`
      if (access === 'due' && shown !== text) record.violation(`D3 ${what}: it was in that epoch, and shows ${shown}`)
      if (access === 'gone' && shown !== null) record.violation(`D6 ${what}: it was not a member, and shows it`)
      if (access === 'due') record.count('sealed texts read')
      if (access === 'gone') record.count('sealed texts kept from former members')
    }
  }
  for (const device of devices)
    for (const epoch of keysOfOthers(state, device))
      record.violation(`D6 ${device.name} has the keys of the epoch ${epoch}, which began when it was gone`)
}

/** Whether a device must have read a message, must not have, or may have: it joined while the message was under way. */
export function accessOf(
  { epochs, intervals }: SealedState,
  { epochs: held, user }: Pick<SealedDevice, 'epochs' | 'user'>,
  { position, epoch }: Message,
): 'due' | 'gone' | 'open' {
  const membership = intervals.get(user.userId)?.find(({ from, to }) => from <= position && position < to)
  if (!membership) return 'gone'
  const began = epochs.find((each) => each.epoch === epoch)?.position ?? 0
  // Who was removed and came back within an epoch has forgotten its keys.
  return held.has(epoch) && membership.from < began ? 'due' : 'open'
}

/** The epochs of which a device has the keys, although its user was not a member when they began. */
export function keysOfOthers({ epochs, intervals }: SealedState, { epochs: held, user }: Pick<SealedDevice, 'epochs' | 'user'>) {
  const isMember = (at: number) => (intervals.get(user.userId) ?? []).some(({ from, to }) => from <= at && at < to)
  return epochs.filter(({ epoch, position }) => held.has(epoch) && !isMember(position)).map(({ epoch }) => epoch)
}

const messageIdAt = (position: number) => encodeId('Message', messageIdOf(position))
