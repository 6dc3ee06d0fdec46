// The judge of a run: reads the journal as Postgres has it, when all is mended, and compares it with everything that was
// answered to senders and told to devices.

import type pg from 'pg'
import { encodeId } from '../../src/id.ts'
import { brokenLaws } from '../journal/laws.ts'
import type { Device } from './device.ts'
import { type History, type MessageRow, readHistory } from './history.ts'
import { Model } from './model.ts'
import { compare, type Verdict, verdicts, visibleTo } from './oracle.ts'
import type { Record, Seen } from './record.ts'
import { differenceOf } from './view.ts'

/** The one law that holds of what the stress test writes alone: reactions and read markers do not move a conversation up. */
const ofWritesAlone = 'D5 the head of a conversation is its last fact'

/** What the judge found: how many flaws of each kind there are in how many lists, and how many deliveries were compared. */
export type Judgement = {
  readonly flaws: { readonly [verdict in Verdict]: number }
  readonly deliveries: number
  readonly facts: number
}

/** Judges everything up to the position `end`. Faults go to the record. */
export async function judge(sql: pg.Client, devices: readonly Device[], record: Record, end: number): Promise<Judgement> {
  for (const law of await brokenLaws(sql)) if (law !== ofWritesAlone) record.fault(`a law of the journal is broken: ${law}`)
  const history = await readHistory(sql)
  judgeSends(record, history.messages)
  judgePlaces(record, history.facts)
  record.count('facts hidden', judgeStates(record, history))
  return { ...judgeDevices(record, devices, history, end), facts: history.facts.length }
}

/** Every acknowledged send is there once, with the id that was answered; what was refused every time is not there (D1, D2). */
function judgeSends(record: Record, messages: readonly MessageRow[]): void {
  const stored = new Map<string, MessageRow[]>()
  for (const message of messages) {
    const key = `${message.sender} ${message.client_message_id}`
    stored.set(key, [...(stored.get(key) ?? []), message])
  }
  const lastOf = new Map<number, string>()
  for (const { senderId, clientMessageId, ids, refusals, unanswered, text, isInTurn } of record.sendings) {
    const found = stored.get(`${senderId} ${clientMessageId}`) ?? []
    const name = `the send ${clientMessageId} of user ${senderId}`
    const [message] = found
    if (found.length > 1) record.fault(`D2 ${name} is there ${found.length} times`)
    if (ids.size > 1) record.fault(`D2 ${name} was answered with several ids: ${[...ids].join(', ')}`)
    if (ids.size === 0) {
      if (refusals.size > 0 && unanswered === 0 && message) record.fault(`D6 ${name} was refused and is there`)
      continue
    }
    if (!message) {
      record.fault(`D1 ${name} was acknowledged and is not there`)
      record.count('sends lost')
      continue
    }
    const id = encodeId('Message', Number(message.id))
    if (!ids.has(id)) record.fault(`D1 ${name} was acknowledged as ${[...ids].join()} and is ${id}`)
    if (message.version === 1 && message.text !== text) record.fault(`D1 ${name} has another text`)
    if (!isInTurn) continue
    const last = lastOf.get(senderId)
    if (last !== undefined && id <= last)
      record.fault(`A10 ${name} is ${id}, before ${last} that was answered before it was begun`)
    lastOf.set(senderId, id)
  }
}

/** Whatever was answered with a cursor is in the journal, at that very place (D1, A2). */
function judgePlaces(record: Record, facts: readonly Seen[]): void {
  const tags = new Map(facts.map(({ position, tag }) => [position, tag]))
  for (const { what, position, tag } of record.places) {
    if (tags.get(position) !== tag) record.fault(`D1 ${what} was answered at ${position}/${tag}; there is ${tags.get(position)}`)
  }
}

/**
 * What follows from the facts, one after the other: each snapshot shows what its position says, and nothing else (D4); what
 * was answered about roles and settings holds at its place (D1); nobody did what they may not, or saw from a message on that
 * they do not (D6); and the tables are what the facts have made (D5). @returns how often a fact was hidden from a newcomer
 */
function judgeStates(record: Record, { audience, conversations, facts, members }: History): number {
  const model = new Model(conversations)
  const inOrder = <T extends { readonly position: number }>(things: readonly T[]) =>
    [...things].sort((a, b) => a.position - b.position)
  const [snapshots, claims] = [inOrder(record.snapshots), inOrder(record.claims)]
  let [shown, claimed] = [0, 0]
  for (const [i, fact] of facts.entries()) {
    model.take(fact, facts[i + 1])
    for (; snapshots[shown]?.position === fact.position; shown += 1) {
      const { position, userId, views } = snapshots[shown] as (typeof snapshots)[number]
      const right = model.seenBy(userId)
      for (const id of new Set([...right.keys(), ...views.keys()])) {
        const difference = differenceOf(views.get(id), right.get(id))
        if (difference) record.fault(`D4 a snapshot of user ${userId} at ${position}: ${id} ${difference}`)
      }
    }
    for (; claims[claimed]?.position === fact.position; claimed += 1) {
      const { what, position, holds } = claims[claimed] as (typeof claims)[number]
      if (!holds(model)) record.fault(`D1 ${what} was answered at ${position}, and does not hold there`)
    }
  }
  if (shown < snapshots.length) record.fault(`D4 ${snapshots.length - shown} snapshots are of places where no fact is`)
  for (const fault of model.faults) record.fault(fault)
  judgeLists(record, 'member and role', members, model.members)
  judgeLists(record, 'interval of membership', audience, model.intervals)
  for (const { id, visibility, uses } of conversations) {
    const right = model.settingsOf(id)
    if (visibility !== right.visibility) record.fault(`D5 conversation ${id} is ${visibility}; right is ${right.visibility}`)
    if (uses !== right.entered) record.fault(`D5 ${uses} uses of the invites of ${id} are counted; ${right.entered} have joined`)
  }
  return model.hidden
}

function judgeLists(record: Record, what: string, had: readonly string[], right: readonly string[]): void {
  const [stored, due] = [new Set(had), new Set(right)]
  for (const line of had) if (!due.has(line)) record.fault(`D5 a ${what} is there and does not follow from the facts: ${line}`)
  for (const line of right) if (!stored.has(line)) record.fault(`D5 a ${what} follows from the facts and is not there: ${line}`)
}

function judgeDevices(record: Record, devices: readonly Device[], { conversations, facts }: History, end: number) {
  const flaws = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as { [verdict in Verdict]: number }
  const heard = visibleTo(facts, new Map(conversations.map(({ id, began }) => [id, began])))
  let deliveries = 0
  for (const device of devices) {
    const mine = heard.get(device.userId) ?? []
    for (const [i, { from, upTo, received }] of device.stretches.entries()) {
      const isLast = i === device.stretches.length - 1
      const due = mine.filter(({ position }) => position > from && position <= (isLast ? end : upTo))
      const had = isLast ? received.filter(({ position }) => position <= end) : received
      deliveries += had.length
      for (const { verdict, seen } of compare(due, had)) {
        flaws[verdict] += 1
        const where = `${seen.kind} ${seen.subject} at ${seen.position}/${seen.tag}`
        record.fault(`${verdict === 'leaked' ? 'D6' : 'D3'} ${device.name}: ${verdict}: ${where} (from ${from}, up to ${upTo})`)
      }
    }
  }
  return { flaws, deliveries }
}
