// The checker of a chaos run: after all repairs, it reads the journal from Postgres and compares it with every answer to a sender
// and every event on a device.

import type pg from 'pg'
import { encodeId, messageIdOf } from '../../src/id.ts'
import { brokenLaws } from '../journal/laws.ts'
import type { SimulatedDevice } from './device.ts'
import { Model } from './model.ts'
import { type AnomalyKind, anomalies, compare, Versions, visibleTo } from './oracle.ts'
import type { EventRecord, RunRecord } from './record.ts'
import { type MessageRow, readStoredState, type StoredState } from './stored-state.ts'
import { differenceOf } from './view.ts'

/** The one law that only the stress test of the journal keeps: here, reactions and read markers do not move a conversation up. */
const headLaw = 'D5 the head of a conversation is its last fact'

/** The result: the number of anomalies of each kind, and of compared deliveries and facts. */
export type CheckResult = {
  readonly anomalyCounts: { readonly [kind in AnomalyKind]: number }
  readonly deliveries: number
  readonly facts: number
}

/** Checks everything up to the position `end`. Violations go to the record. */
export async function check(
  sql: pg.Client,
  devices: readonly SimulatedDevice[],
  record: RunRecord,
  end: number,
): Promise<CheckResult> {
  for (const law of await brokenLaws(sql)) if (law !== headLaw) record.violation(`a law of the journal does not hold: ${law}`)
  const stored = await readStoredState(sql)
  checkSends(record, stored.messages)
  checkPlaces(record, stored.facts)
  record.count('facts hidden', checkStates(record, stored))
  return { ...checkDevices(record, devices, stored, end), facts: stored.facts.length }
}

/** Every acknowledged message is stored once, under the id in the answer; a message that was always refused is not (D1, D2). */
function checkSends(record: RunRecord, messages: readonly MessageRow[]): void {
  const stored = new Map<string, MessageRow[]>()
  for (const message of messages) {
    const key = `${message.sender} ${message.client_message_id}`
    stored.set(key, [...(stored.get(key) ?? []), message])
  }
  const lastOf = new Map<number, string>()
  for (const { senderId, clientMessageId, ids, refusals, unanswered, text, isSequential: isInTurn } of record.sends) {
    const found = stored.get(`${senderId} ${clientMessageId}`) ?? []
    const name = `the message ${clientMessageId} of user ${senderId}`
    const [message] = found
    if (found.length > 1) record.violation(`D2 ${name} is stored ${found.length} times`)
    if (ids.size > 1) record.violation(`D2 ${name} has several ids in its answers: ${[...ids].join(', ')}`)
    if (ids.size === 0) {
      if (refusals.size > 0 && unanswered === 0 && message) record.violation(`D6 ${name} was refused and is stored`)
      continue
    }
    if (!message) {
      record.violation(`D1 ${name} was acknowledged and is not stored`)
      record.count('sends lost')
      continue
    }
    const id = encodeId('Message', messageIdOf(message.id))
    if (!ids.has(id)) record.violation(`D1 ${name} was acknowledged as ${[...ids].join()} and is stored as ${id}`)
    if (message.version === 1 && message.text !== text) record.violation(`D1 ${name} has a different text`)
    if (!isInTurn) continue
    const last = lastOf.get(senderId)
    if (last !== undefined && id <= last)
      record.violation(`A10 ${name} is ${id}, before ${last}, although that was answered first`)
    lastOf.set(senderId, id)
  }
}

/** Every cursor in an answer names a fact of the journal (D1, A2). */
function checkPlaces(record: RunRecord, facts: readonly EventRecord[]): void {
  const tags = new Map(facts.map(({ position, tag }) => [position, tag]))
  for (const { what, position, tag } of record.places) {
    if (tags.get(position) !== tag)
      record.violation(`D1 ${what} was answered with the cursor ${position}/${tag}; the fact has the tag ${tags.get(position)}`)
  }
}

/**
 * Applies the facts one by one to the model: each snapshot shows the state of its position (D4); answers about roles and settings
 * are true at their positions (D1); nobody did or saw more than they may (D6); and the tables are what the facts make of them (D5).
 * @returns how often a fact was hidden from a new member
 */
function checkStates(record: RunRecord, { audience, conversations, facts, members }: StoredState): number {
  const model = new Model(conversations)
  const inOrder = <T extends { readonly position: number }>(things: readonly T[]) =>
    [...things].sort((a, b) => a.position - b.position)
  const [snapshots, claims] = [inOrder(record.snapshots), inOrder(record.claims)]
  let [shown, claimed] = [0, 0]
  for (const [i, fact] of facts.entries()) {
    model.apply(fact, facts[i + 1])
    for (; snapshots[shown]?.position === fact.position; shown += 1) {
      const { position, userId, views } = snapshots[shown] as (typeof snapshots)[number]
      const expected = model.viewsOf(userId)
      for (const id of new Set([...expected.keys(), ...views.keys()])) {
        const difference = differenceOf(views.get(id), expected.get(id))
        if (difference) record.violation(`D4 a snapshot of user ${userId} at ${position}: ${id} ${difference}`)
      }
    }
    for (; claims[claimed]?.position === fact.position; claimed += 1) {
      const { what, position, holds } = claims[claimed] as (typeof claims)[number]
      if (!holds(model)) record.violation(`D1 ${what} was answered at ${position} and is not true there`)
    }
  }
  if (shown < snapshots.length) record.violation(`D4 ${snapshots.length - shown} snapshots are at positions without a fact`)
  for (const violation of model.violations) record.violation(violation)
  checkLists(record, 'member and role', members, model.members)
  checkLists(record, 'membership interval', audience, model.intervals)
  for (const { id, visibility, uses } of conversations) {
    const expected = model.settingsOf(id)
    if (visibility !== expected.visibility)
      record.violation(`D5 conversation ${id} is ${visibility}, expected ${expected.visibility}`)
    if (uses !== expected.joinedByInvite)
      record.violation(`D5 the invites of ${id} count ${uses} uses, expected ${expected.joinedByInvite}`)
  }
  return model.hidden
}

function checkLists(record: RunRecord, what: string, stored: readonly string[], expected: readonly string[]): void {
  const [has, due] = [new Set(stored), new Set(expected)]
  for (const line of stored) if (!due.has(line)) record.violation(`D5 a ${what} does not follow from the facts: ${line}`)
  for (const line of expected) if (!has.has(line)) record.violation(`D5 a ${what} follows from the facts and is missing: ${line}`)
}

function checkDevices(
  record: RunRecord,
  devices: readonly SimulatedDevice[],
  { conversations, facts }: StoredState,
  end: number,
) {
  const anomalyCounts = Object.fromEntries(anomalies.map((kind) => [kind, 0])) as { [kind in AnomalyKind]: number }
  const initial = new Map(conversations.map(({ id, initialVisibility }) => [id, initialVisibility]))
  const visible = visibleTo(facts, initial)
  const versions = new Versions(facts, initial)
  let deliveries = 0
  for (const device of devices) {
    const mine = visible.get(device.userId) ?? []
    for (const [i, { from, upTo, received }] of device.segments.entries()) {
      const isLast = i === device.segments.length - 1
      const due = mine.filter(({ position }) => position > from && position <= (isLast ? end : upTo))
      const had = isLast ? received.filter(({ position }) => position <= end) : received
      deliveries += had.length
      for (const { kind, subject, position, version } of versions.tooNew(device.userId, had)) {
        anomalyCounts.leaked += 1
        record.violation(
          `D6 ${device.name}: ${kind} ${subject} at ${position} shows version ${version}, made after the user left`,
        )
      }
      for (const { kind, event } of compare(due, had)) {
        anomalyCounts[kind] += 1
        const where = `${event.kind} ${event.subject} at ${event.position}/${event.tag}`
        record.violation(`${kind === 'leaked' ? 'D6' : 'D3'} ${device.name}: ${kind}: ${where} (from ${from}, up to ${upTo})`)
      }
    }
  }
  return { anomalyCounts, deliveries }
}
