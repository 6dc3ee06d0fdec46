// The durable reader of the journal that keeps the search index. Each node has one; the lock on the row of progress lets
// one of them work at a time. What a turn writes and the place that it has come to are one transaction: a node that is
// killed loses nothing and does nothing twice, and the next turn is anybody's.
//
// It reads facts only to learn which messages they name. Of those it takes what they are now: sent, edited or gone is all
// the same to it, and so is a fact that it sees twice.

import { setTimeout as delay } from 'node:timers/promises'
import type { App } from '../app.ts'
import { namesMessage, type Place } from '../journal/fact.ts'
import { readFactsAfter, readHead, readMessages, readTagAt } from '../journal/tables.ts'
import { isTransient } from '../store/postgres.ts'
import type { Reader } from '../store/reader.ts'
import * as tables from './tables.ts'

/** How much one turn takes on: while Postgres writes it, messages that are sent wait for their turn. */
const turnMax = { facts: 100, messages: 100, characters: 50_000 } as const
/** How many characters are read at once: at some 0.4 µs each they block the process for 2 ms. Then others have their turn. */
const breathCharacters = 5_000
/** How long facts gather before a turn. */
const gatherMs = 500
/** How often it is looked whether there is something to do that nobody told of. */
const lookMs = 1_000

/** The indexer of a node. */
export type Indexer = {
  /** Works until the index has come to the head of the journal, or another node has the turn. */
  catchUp(): Promise<void>
  close(): Promise<void>
}

/** Opens the indexer: it begins to follow at once. */
export function openIndexer(app: App): Indexer {
  let isClosed = false
  let working: Promise<void> | undefined
  let gathering: NodeJS.Timeout | undefined

  async function catchUp(): Promise<void> {
    while (!isClosed && (await hasWork(app))) {
      const begun = performance.now()
      if (!(await takeTurn(app))) return
      // As long as a turn took, sends have Postgres for themselves.
      await delay(performance.now() - begun)
    }
  }
  function work(): void {
    gathering = undefined
    working ??= catchUp()
      .catch((error: unknown) => {
        if (isTransient(error)) app.log.warn({ err: error }, 'the search index waits for the database')
        else app.log.error({ err: error }, 'the search index could not be kept')
      })
      .finally(() => {
        working = undefined
      })
  }
  function wake(): void {
    if (!isClosed) gathering ??= setTimeout(work, gatherMs)
  }

  app.journal.onFact((fact) => {
    if (namesMessage(fact)) wake()
  })
  const look = setInterval(wake, lookMs)
  wake()
  return {
    catchUp,
    async close() {
      isClosed = true
      clearInterval(look)
      clearTimeout(gathering)
      await working
    },
  }
}

/** Whether the index is somewhere else than this node's journal. A look that costs little, for the nodes that only stand by. */
async function hasWork({ store, journal }: App): Promise<boolean> {
  const [progress, head] = [await tables.readProgress(store.reader), journal.head()]
  return progress.walked !== null || progress.position !== head.position || progress.tag !== head.tag
}

/**
 * Brings the index a step further: by the next facts, and where messages are to be read anew, by the next of those.
 * @returns whether there may be more to do for this node.
 */
function takeTurn(app: App): Promise<boolean> {
  const { reader } = app.store
  return app.store.jobs.transaction(async (tx) => {
    const was = await tables.takeTurn(tx)
    if (!was) return false
    const from = await confirm(was, app)
    const followed = await follow(reader, from)
    const walk = from.walked === null ? null : await walkOn(reader, from.walked, from.position)
    if (from !== was) await tables.removeRange(tx, { after: from.position, upTo: Number.MAX_SAFE_INTEGER })
    if (walk) await tables.removeRange(tx, walk.range)
    const rows: Rows = new Map([...(walk?.rows ?? []), ...followed.rows])
    await tables.removeRows(tx, [...rows.keys()])
    const found = [...rows.values()].filter((row) => row !== null)
    await tables.addRows(tx, found)
    const now = { ...followed.place, walked: walk && walk.range.upTo < from.position ? walk.range.upTo : null }
    const isMoved = from !== was || now.position !== was.position || now.walked !== was.walked
    if (isMoved) await tables.writeProgress(tx, now)
    return isMoved
  })
}

/** Messages by id, as the index keeps them; null for one that is gone, or has nothing in it to find. */
type Rows = Map<number, tables.IndexRow | null>

/** What the next facts say. */
async function follow(reader: Reader, { position, tag }: Place): Promise<{ rows: Rows; place: Place }> {
  const facts = await readFactsAfter(reader, position, turnMax.facts)
  const named = facts.map((fact) => (namesMessage(fact) ? fact.subjectId : null))
  const rows = await readRows(reader, [...new Set(named.filter((id) => id !== null))])
  const left = named.findIndex((id) => id !== null && !rows.has(id))
  const last = (left < 0 ? facts : facts.slice(0, left)).at(-1)
  return { rows, place: last ? { position: last.position, tag: last.tag } : { position, tag } }
}

/** The next messages that are to be read anew. What the index holds in their range goes. */
async function walkOn(reader: Reader, after: number, upTo: number): Promise<{ rows: Rows; range: tables.IdRange }> {
  const ids = await tables.readMessageIds(reader, after, upTo, turnMax.messages)
  const rows = await readRows(reader, ids)
  const isWhole = ids.length < turnMax.messages && rows.size === ids.length
  return { rows, range: { after, upTo: isWhole ? upTo : ([...rows.keys()].at(-1) ?? upTo) } }
}

/** Reads messages, in the order of the ids; leaves off the last ones where the texts are long. */
async function readRows(reader: Reader, ids: readonly number[]): Promise<Rows> {
  const messages = new Map((await readMessages(reader, ids)).map((message) => [message.id, message]))
  const rows: Rows = new Map()
  let characters = 0
  let breathAt: number = breathCharacters
  for (const id of ids) {
    const message = messages.get(id)
    characters += message?.text.length ?? 0
    if (characters > turnMax.characters && rows.size > 0) break
    if (characters >= breathAt) {
      await new Promise(setImmediate)
      breathAt = characters + breathCharacters
    }
    rows.set(id, message ? tables.indexRow(message) : null)
  }
  return rows
}

/**
 * The progress, where the journal still holds the fact that it names. Where it does not (the index was restored apart from
 * the journal, or facts were trimmed before the index had seen them) nothing that the index holds is certain: it goes on
 * from the head, and all messages up to there are to be read anew. Meanwhile it goes on answering.
 */
async function confirm(progress: tables.Progress, { store, log }: App): Promise<tables.Progress> {
  const { tag, floor } = await readTagAt(store.reader, progress.position)
  const isTrue = tag === null ? progress.position === floor : tag === progress.tag
  if (isTrue) return progress
  log.warn({ position: progress.position }, 'the search index does not fit this journal: it is made anew')
  const head = await readHead(store.reader)
  return { position: head.position, tag: head.tag, walked: 0 }
}
