// A beginning at the head of the journal, for a new device or one that was away for too long: commits that came before are missing, and
// messages of the epoch that the device knows are read from the history.

import type { EncryptedConversationsQuery } from '../generated/operations.ts'
import type { Ask } from '../store/ask.ts'
import { EncryptedConversations, SealedHistory } from './documents.ts'
import type { EncryptionFacts } from './facts.ts'
import type { EncryptionChange } from './storage.ts'
import type { EncryptionVault } from './vault.ts'

/** What a beginning needs of the engine. */
export type CatchUpHost = {
  readonly ask: Ask
  readonly vault: EncryptionVault
  readonly facts: EncryptionFacts
  /** Looks after a conversation once the facts are followed: at once if nobody else can do so. */
  stir(conversationId: string, isOwn: boolean): void
  /** Shows what was read. */
  shown(messageId: string): Promise<void>
  reached(conversationId: string, seq: number): void
}

const pageSize = 100

/** Brings all encrypted conversations to where the server is. @returns the cursor from which to follow */
export async function catchUp(host: CatchUpHost): Promise<string> {
  let cursor = ''
  let after: string | null = null
  do {
    const { data }: { data: EncryptedConversationsQuery } = await host.ask(EncryptedConversations, { first: pageSize, after })
    // Of the first page: what happens while the others are read comes as events.
    cursor ||= data.syncCursor
    for (const { id, encryption, epoch, lastMessage } of data.conversations.nodes) {
      if (encryption === 'MLS') await catchUpOne(host, id, epoch ?? 0, lastMessage?.seq ?? 0)
    }
    after = data.conversations.pageInfo.hasNextPage ? (data.conversations.pageInfo.endCursor ?? null) : null
  } while (after !== null)
  await host.vault.exclusive(() => host.vault.write([host.facts.cursorChange(cursor)]))
  return cursor
}

async function catchUpOne(host: CatchUpHost, conversationId: string, epoch: number, lastSeq: number): Promise<void> {
  const { vault } = host
  const reached: EncryptionChange = { table: 'seqs', key: conversationId, value: lastSeq }
  const isCurrent = await vault.exclusive(async () => {
    const { group, stored } = await vault.group(conversationId)
    if (group?.epoch === epoch) return true
    await vault.write([vault.changeOf(conversationId, null, { ...stored, pending: null }), reached])
    return false
  })
  host.stir(conversationId, !isCurrent && epoch > 0)
  if (isCurrent) await readMissed(host, conversationId)
  await vault.exclusive(() => vault.write([reached]))
  host.reached(conversationId, lastSeq)
}

async function readMissed({ ask, vault, facts, shown }: CatchUpHost, conversationId: string): Promise<void> {
  for (let afterSeq = (await vault.storage.get('seqs', conversationId)) ?? 0; ; ) {
    const { data } = await ask(SealedHistory, { id: conversationId, afterSeq })
    const messages = (data.conversation?.messagesAround.nodes ?? []).filter(({ seq }) => seq > afterSeq)
    for (const message of messages) {
      await vault.exclusive(async () => vault.write(await facts.message(conversationId, message)))
      await shown(message.id)
    }
    const last = messages.at(-1)
    if (!last) return
    afterSeq = last.seq
  }
}
