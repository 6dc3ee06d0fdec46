// Encrypts what the outbox sends, just before each attempt: the group may have moved to another epoch since the last one.

import { ParleyFailure } from '../failure.ts'
import type { Sealer } from '../outbox-content.ts'
import type { MessageInput } from '../storage.ts'
import type { Ask } from '../store/ask.ts'
import { toBase64 } from './bytes.ts'
import { type EncryptedContent, encodeContent } from './content.ts'
import { GroupState } from './documents.ts'
import type { EncryptionVault } from './vault.ts'

/** Seals messages. */
export class MessageSealer implements Sealer {
  readonly #vault: EncryptionVault
  readonly #ask: Ask
  readonly #stir: (conversationId: string) => void
  /** Conversations that are known not to be encrypted, and never will be. */
  readonly #plain = new Set<string>()

  constructor(vault: EncryptionVault, ask: Ask, stir: (conversationId: string) => void) {
    this.#vault = vault
    this.#ask = ask
    this.#stir = stir
  }

  refused(conversationId: string): void {
    this.#stir(conversationId)
  }

  async seal(input: MessageInput, clientMessageId: string): Promise<{ ciphertext: string; epoch: number } | null> {
    const { conversationId } = input
    if (!(await this.#isEncrypted(conversationId))) return null
    const content = input.encrypted ?? textContent(input)
    return this.#vault.exclusive(async () => {
      const { group, stored } = await this.#vault.group(conversationId)
      if (!group) throw new ParleyFailure('REKEY_REQUIRED', 'This device has not joined the conversation yet.', true)
      const draft = await this.#vault.storage.get('drafts', clientMessageId)
      // The last attempt had no answer: the same bytes are still good.
      if (draft?.epoch === group.epoch) return { ciphertext: toBase64(draft.ciphertext), epoch: group.epoch }
      const { ciphertext, next } = await group.encrypt(clientMessageId, encodeContent(content))
      // First the state without the used key, and the content, which this device cannot decrypt; then the ciphertext leaves.
      await this.#vault.write([
        this.#vault.changeOf(conversationId, next, stored),
        { table: 'drafts', key: clientMessageId, value: { conversationId, content, epoch: group.epoch, ciphertext } },
      ])
      return { ciphertext: toBase64(ciphertext), epoch: group.epoch }
    })
  }

  /** Whether a conversation is encrypted. Asked of the server before the first message: nothing leaves in the clear by mistake. */
  async #isEncrypted(conversationId: string): Promise<boolean> {
    if (this.#plain.has(conversationId)) return false
    if (await this.#vault.storage.get('groups', conversationId)) return true
    const { data } = await this.#ask(GroupState, { id: conversationId, after: null })
    if (!data.conversation) throw new ParleyFailure('NOT_FOUND', 'Conversation not found.', false)
    if (data.conversation.encryption === 'NONE') this.#plain.add(conversationId)
    return data.conversation.encryption === 'MLS'
  }
}

/** The content of a message that the app sent as if the conversation was not encrypted. */
const textContent = ({ text, replyToId }: MessageInput): EncryptedContent => ({
  type: 'text',
  text,
  ...(replyToId == null ? {} : { replyToId }),
})
