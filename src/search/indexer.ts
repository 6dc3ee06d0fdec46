// The durable reader that maintains the search index. It reads facts only to learn which messages they name, and indexes those as
// they are now, so it does not matter whether a message was sent, edited or deleted, or whether a fact comes twice. Once after
// each start of a node, it first folds the names of users again if the rules of folding have changed.

import { foldNames } from '../account/search-names.ts'
import { type MessageId, type Position, positionOf } from '../id.ts'
import { DurableReader, type DurableReading, standingOf } from '../journal/durable-reader.ts'
import type { Fact, Place } from '../journal/fact.ts'
import type { FactKinds } from '../journal/kind.ts'
import { readFactsAfter, readHead } from '../journal/tables.ts'
import { type MessageRow, messageOf, readMessages } from '../message/row.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import { namesOf, readFileNames } from './file-names.ts'
import * as tables from './tables.ts'

/** How much one turn may do: sends wait while Postgres writes it. */
const turnMax = { facts: 100, messages: 100, characters: 50_000 } as const
/** How many characters to index before other work gets a turn: at about 0.4 µs each, they block the process for 2 ms. */
const sliceCharacters = 5_000
/** The indexer of a node. */
export type Indexer = DurableReader<tables.IndexProgress>

/** Opens the indexer, which starts to follow the journal at once. */
export function openIndexer(app: App): Indexer {
  const { store, journal, log } = app
  let areNamesFolded = false
  const reading: DurableReading<tables.IndexProgress> = {
    gatherMs: 500,
    factsMax: turnMax.facts,
    failure: 'the search index could not be updated',
    rests: true,
    concerns: (fact) => journal.kinds.namesRow(fact),
    async prepare(closing) {
      if (!areNamesFolded) areNamesFolded = await foldNames(store.jobs.reader, () => closing?.aborted ?? false)
    },
    readProgress: () => tables.readProgress(store.reader),
    hasMore: (progress) => progress.walked !== null || progress.seal !== tables.sealOf(progress),
    follow: (progress, facts) => follow(app, progress, facts),
    takeTurn: () => takeTurn(app),
  }
  return new DurableReader(reading, journal, log)
}

/** Indexes the messages that facts of the recent log name. @returns the new progress; null if it was not where it is said to be */
async function follow({ store, journal }: App, was: tables.IndexProgress, facts: readonly Fact[]) {
  let head: Place = was
  const read: ReadMessages = async (ids) => {
    head = journal.head()
    const remembered = ids.flatMap((id) => messageOf(journal.row(id)) ?? [])
    const known = new Set(remembered.map(({ id }) => id))
    const others = ids.filter((id) => !known.has(id))
    return [...remembered, ...(await readMessages(store.reader, others))]
  }
  const { rows, place } = await indexNamed(store.reader, read, journal.kinds, facts, was)
  return tables.moveWith(store.jobs.reader, was, place, head, goneOf(rows), foundOf(rows))
}

/**
 * Indexes the next facts, and the next messages of a rebuild if there is one, from what Postgres has.
 * @returns the new progress; null if there is no more to do for this node
 */
function takeTurn(app: App): Promise<tables.IndexProgress | null> {
  const { reader } = app.store
  return app.store.jobs.transaction(async (tx) => {
    const was = await tables.takeTurn(tx)
    if (!was) return null
    const from = await confirm(was, app)
    const beginsRebuild = from !== was
    const facts = await readFactsAfter(reader, from.position, turnMax.facts)
    const read: ReadMessages = (ids) => readMessages(reader, ids)
    const followed = await indexNamed(reader, read, app.journal.kinds, facts, from)
    const walk = from.walked === null ? null : await walkOn(reader, from.walked, from.position)
    if (beginsRebuild) await tables.removeRange(tx, { after: from.position, upTo: positionOf(Number.MAX_SAFE_INTEGER) })
    if (walk) await tables.removeRange(tx, walk.range)
    const rows: Rows = new Map([...(walk?.rows ?? []), ...followed.rows])
    await tables.removeRows(tx, goneOf(rows))
    await tables.addRows(tx, foundOf(rows))
    const now = { ...followed.place, walked: walk && walk.range.upTo < from.position ? walk.range.upTo : null }
    const isMoved = beginsRebuild || now.position !== was.position || now.walked !== was.walked
    return isMoved ? tables.writeProgress(tx, now) : null
  })
}

/** Reads messages, in any order. */
type ReadMessages = (ids: readonly MessageId[]) => Promise<readonly MessageRow[]>
/** Index rows by message id; null for a message that is gone or has nothing to find. */
type Rows = Map<MessageId, tables.IndexRow | null>

const foundOf = (rows: Rows) => [...rows.values()].filter((row) => row !== null)
const goneOf = (rows: Rows) => [...rows].filter(([, row]) => row === null).map(([id]) => id)

/** Indexes the messages that the facts after a place name. @returns their rows, and the place up to which they are complete */
async function indexNamed(
  reader: Reader,
  read: ReadMessages,
  kinds: FactKinds,
  facts: readonly Fact[],
  { position, tag }: Place,
): Promise<{ rows: Rows; place: Place }> {
  const named = facts.map((fact) => (kinds.namesRow(fact) ? (fact.subjectId as MessageId | null) : null))
  const rows = await readRows(reader, read, [...new Set(named.filter((id) => id !== null))])
  const left = named.findIndex((id) => id !== null && !rows.has(id))
  const last = (left < 0 ? facts : facts.slice(0, left)).at(-1)
  return { rows, place: last ? { position: last.position, tag: last.tag } : { position, tag } }
}

/** Reads the next messages of a rebuild. @returns their rows, and the range of ids that these rows replace */
async function walkOn(reader: Reader, after: Position, upTo: Position): Promise<{ rows: Rows; range: tables.IdRange }> {
  const ids = await tables.readMessageIds(reader, after, upTo, turnMax.messages)
  const rows = await readRows(reader, (some) => readMessages(reader, some), ids)
  const isWhole = ids.length < turnMax.messages && rows.size === ids.length
  return { rows, range: { after, upTo: isWhole ? upTo : ([...rows.keys()].at(-1) ?? upTo) } }
}

/** Reads messages in the order of the ids, and stops early if their texts are long. */
async function readRows(reader: Reader, read: ReadMessages, ids: readonly MessageId[]): Promise<Rows> {
  const messages = new Map((await read(ids)).map((message) => [message.id, message]))
  const names = await readFileNames(reader, [...messages.values()])
  const rows: Rows = new Map()
  let characters = 0
  let sliceEnd: number = sliceCharacters
  for (const id of ids) {
    const message = messages.get(id)
    characters += message?.text.length ?? 0
    if (characters > turnMax.characters && rows.size > 0) break
    if (characters >= sliceEnd) {
      await new Promise(setImmediate)
      sliceEnd = characters + sliceCharacters
    }
    // In an encrypted conversation there is nothing to find, not even names of files.
    const isReadable = message !== undefined && message.epoch == null
    rows.set(id, isReadable ? tables.indexRow(message, namesOf(message, names)) : null)
  }
  return rows
}

/**
 * Checks the progress. If the index was made by the folding rules of another version, it starts a rebuild of all messages up to
 * its place. If the journal no longer has the fact at its place (the index was restored apart from the journal, or facts were
 * trimmed before the index had read them), no row of the index is certain: it continues from the head, and starts a rebuild of
 * all messages up to there. Searches use the old rows in the meantime.
 * @returns the same progress if nothing is wrong
 */
async function confirm(progress: tables.IndexProgress, { store, log }: App): Promise<tables.IndexProgress> {
  const isTrue = (await standingOf(store.reader, progress)) === 'HELD'
  const isOurs = progress.seal === tables.sealOf(progress)
  if (isTrue && isOurs) return progress
  if (isTrue) {
    // A new installation has nothing to rebuild.
    if (progress.position > 0) log.info({ position: progress.position }, 'the search index is rebuilt: its rules have changed')
    return { ...progress, walked: positionOf(0) }
  }
  log.warn({ position: progress.position }, 'the search index does not match this journal: it is rebuilt')
  const head = await readHead(store.reader)
  return { position: head.position, tag: head.tag, walked: positionOf(0), seal: progress.seal }
}
