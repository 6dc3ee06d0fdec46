// Two users in a conversation on a node, for the tests of cursors.

import type pg from 'pg'
import { expect } from 'vitest'
import type { ConversationId } from '../../src/id.ts'
import { parseId } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import { type Device, signUpAll } from '../support/device.ts'
import type { EventLog } from '../support/event-log.ts'
import { type Environment, type Node, openNode } from '../support/node.ts'
import { connectAs } from './setup.ts'

/** The close code that tells a client to resume. */
export const resume = 4610
/** These nodes are expected to log errors. */
export const quiet = { PARLEY_LOG_LEVEL: 'silent' } as const

/** Two users with a conversation on a node of their own. */
export type Pair = {
  node: Node
  alice: Device
  bob: Device
  conversationId: string
  conversation: ConversationId
  client: pg.Client
  /** Sends some texts from Alice; returns the cursor of each. */
  say(...texts: string[]): Promise<string[]>
}

/** Opens a node with Alice, Bob and their conversation. */
export async function openTalk(environment: Environment = {}): Promise<Pair> {
  const node = await openNode({ ...quiet, ...environment })
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody came')
  const conversationId = await alice.direct(bob)
  const say = async (...texts: string[]) => {
    const cursors: string[] = []
    for (const text of texts) cursors.push((await alice.send(conversationId, text)).cursor)
    return cursors
  }
  const client = await connectAs(node.databaseUrl, 'test cursor')
  return { node, alice, bob, conversationId, conversation: parseId('Conversation', conversationId, ''), client, say }
}

/** The position in a cursor. */
export const positionOf = (cursor: string | undefined) => parseCursor(cursor ?? '', 'after').position

/** Waits until a stream is live; returns how it began. */
export async function expectStart(log: EventLog, mode: string, reason: string | null): Promise<void> {
  await log.live()
  expect(log.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode, reason })
}
