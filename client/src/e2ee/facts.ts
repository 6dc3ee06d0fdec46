// Applies the facts of the journal, in their order. Each is applied once: what it changes is written together with its cursor.

import type { EncryptionEventsSubscription, SealedPartsFragment } from '../generated/operations.ts'
import type { Ask } from '../store/ask.ts'
import { areEqual, fromBase64 } from './bytes.ts'
import { decodeContent, type UnreadableReason } from './content.ts'
import { changeOfUnreadable, changesOfContent, type MessageOrigin, withoutText } from './contents.ts'
import { GroupInfo } from './documents.ts'
import { EncryptedGroup } from './group.ts'
import type { DeviceTrust, OwnDevice } from './identity.ts'
import { epochOfCommit, epochOfGroupInfo } from './mls-messages.ts'
import { type EncryptionChange, own } from './storage.ts'
import { isEncryptionFailure } from './suite.ts'
import type { EncryptionVault, KnownGroup } from './vault.ts'

/** An event that encryption follows. */
export type EncryptionEvent = EncryptionEventsSubscription['events']
type EventOf<Name> = Extract<EncryptionEvent, { readonly __typename: Name }>

/** What an event has changed. */
export type AppliedFact = {
  readonly changes: readonly EncryptionChange[]
  /** Conversations whose group may need something of this device. */
  readonly stirred: readonly string[]
}

const nothing: AppliedFact = { changes: [], stirred: [] }

/** Applies facts for one device. */
export class EncryptionFacts {
  readonly #vault: EncryptionVault
  readonly #device: OwnDevice
  readonly #trust: DeviceTrust
  readonly #ask: Ask

  constructor(vault: EncryptionVault, device: OwnDevice, trust: DeviceTrust, ask: Ask) {
    this.#vault = vault
    this.#device = device
    this.#trust = trust
    this.#ask = ask
  }

  /** What an event changes. Call it while nothing else changes the storage. @throws ParleyFailure if the server does not answer */
  async apply(event: EncryptionEvent): Promise<AppliedFact> {
    switch (event.__typename) {
      case 'EpochCommitted':
        return this.#commit(event)
      case 'WelcomeReceived':
        return this.#welcome(event)
      case 'MessageSent':
        return this.#sent(event)
      case 'MessageDeleted':
        return { changes: await this.#deleted(event), stirred: [] }
      case 'DevicesChanged':
        return this.#devicesChanged(event)
      case 'ConversationAdded':
      case 'ConversationReopened':
        return event.conversation.encryption === 'MLS' ? this.#joined(event.conversation.id) : nothing
      case 'MemberJoined':
        return this.#memberJoined(event)
      case 'MemberLeft':
        return this.#left(event)
      default:
        return nothing
    }
  }

  /** What a message changes. One that is known, from the journal or a page, changes nothing. */
  async message(conversationId: string, message: SealedPartsFragment): Promise<readonly EncryptionChange[]> {
    if (message.epoch == null || (await this.#vault.storage.get('contents', message.id))) return []
    const { id, seq, createdAt, clientMessageId, ciphertext, sender } = message
    const origin: MessageOrigin = { id, conversationId, seq, createdAt, sender }
    const draft = clientMessageId == null ? null : await this.#vault.storage.get('drafts', clientMessageId)
    if (draft && clientMessageId != null && sender?.id === this.#device.userId) {
      const changes = await changesOfContent(this.#vault.storage, origin, draft.content)
      return [...changes, { table: 'drafts', key: clientMessageId, value: null }]
    }
    // It was deleted meanwhile.
    if (ciphertext == null) return []
    const known = await this.#vault.group(conversationId)
    const header = { conversationId, epoch: message.epoch, clientMessageId: clientMessageId ?? '' }
    if (!known.group || header.epoch < known.group.epoch - 1) return [changeOfUnreadable(origin, 'BEFORE_JOINING')]
    try {
      const { content, sender: device, next } = await known.group.decrypt(header, fromBase64(ciphertext))
      const change = this.#vault.changeOf(conversationId, next, known.stored)
      if (device.userId !== sender?.id) return [change, changeOfUnreadable(origin, 'NOT_GENUINE')]
      return [change, ...(await changesOfContent(this.#vault.storage, origin, decodeContent(content)))]
    } catch (error) {
      if (!isEncryptionFailure(error)) throw error
      return [changeOfUnreadable(origin, this.#reason(header.epoch, known, sender?.id))]
    }
  }

  /** Own messages are written by this device or another one of the user: without its draft, this device cannot read its own. */
  #reason(epoch: number, { group }: KnownGroup, senderId: string | undefined): UnreadableReason {
    if (senderId === this.#device.userId) return 'KEYS_LOST'
    if (!group || epoch > group.epoch) return 'KEYS_LOST'
    return epoch < group.epoch ? 'BEFORE_JOINING' : 'NOT_GENUINE'
  }

  async #sent({ conversation: { id }, message }: EventOf<'MessageSent'>): Promise<AppliedFact> {
    if (message.epoch == null) return nothing
    return { changes: [...(await this.message(id, message)), { table: 'seqs', key: id, value: message.seq }], stirred: [] }
  }

  async #commit({ conversation: { id }, commit }: EventOf<'EpochCommitted'>): Promise<AppliedFact> {
    const known = await this.#vault.group(id)
    const { group, stored } = known
    if (!group && !stored.pending) return { changes: [], stirred: [id] }
    // The server does not keep commits for ever.
    if (commit === '') return this.#lose(id, known)
    const bytes = fromBase64(commit)
    const { pending } = stored
    if (pending && areEqual(pending.commit, bytes)) {
      const next = EncryptedGroup.restore(pending.next, this.#trust)
      const adopted = group && group.epoch === pending.epoch ? next.after(group) : next
      return { changes: [this.#vault.changeOf(id, adopted, { ...stored, pending: null })], stirred: [id] }
    }
    try {
      const epoch = epochOfCommit(bytes)
      const isLost = pending !== null && pending.epoch <= epoch
      const rest = { ...stored, pending: isLost ? null : pending }
      if (!group) return { changes: isLost ? [this.#vault.changeOf(id, null, rest)] : [], stirred: [id] }
      if (epoch < group.epoch) return nothing
      if (epoch > group.epoch) return this.#lose(id, known)
      const next = await group.process(bytes)
      return { changes: [this.#vault.changeOf(id, next, rest)], stirred: [id] }
    } catch (error) {
      if (!isEncryptionFailure(error)) throw error
      return this.#lose(id, known)
    }
  }

  async #welcome({ conversation: { id }, device, epoch, welcome }: EventOf<'WelcomeReceived'>): Promise<AppliedFact> {
    if (device.id !== this.#device.deviceId || welcome === '') return nothing
    const { group, stored } = await this.#vault.group(id)
    if (group && group.epoch >= epoch) return nothing
    const bytes = fromBase64(welcome)
    try {
      const [ref = ''] = EncryptedGroup.refsOfWelcome(bytes)
      const found = await this.#vault.storage.get('keyPackages', ref)
      if (!found) return { changes: [], stirred: [id] }
      const joined = await EncryptedGroup.join(bytes, found, this.#device, this.#trust, await this.#treeOf(id, epoch))
      const used: EncryptionChange[] = found.isLastResort ? [] : [{ table: 'keyPackages', key: ref, value: null }]
      return { changes: [this.#vault.changeOf(id, joined, { ...stored, pending: null }), ...used], stirred: [id] }
    } catch (error) {
      if (!isEncryptionFailure(error)) throw error
      return { changes: [], stirred: [id] }
    }
  }

  /** The GroupInfo of an epoch, if it is still the newest one: Welcomes to large groups come without the tree. */
  async #treeOf(conversationId: string, epoch: number): Promise<Uint8Array | null> {
    const { data } = await this.#ask(GroupInfo, { id: conversationId })
    const bytes = data.conversation?.groupInfo == null ? null : fromBase64(data.conversation.groupInfo)
    return bytes && epochOfGroupInfo(bytes) === epoch ? bytes : null
  }

  async #deleted({ message: { id, deletedAt } }: EventOf<'MessageDeleted'>): Promise<readonly EncryptionChange[]> {
    const known = await this.#vault.storage.get('contents', id)
    if (!known) return []
    return [{ table: 'contents', key: id, value: withoutText(known, deletedAt ?? '') }]
  }

  /** Remembers a conversation, so that this device looks after it even if the app closes now. */
  async #joined(id: string): Promise<AppliedFact> {
    const { group, stored } = await this.#vault.group(id)
    return { changes: group ? [] : [this.#vault.changeOf(id, null, stored)], stirred: [id] }
  }

  async #memberJoined({ conversation: { id, encryption }, user, seq }: EventOf<'MemberJoined'>): Promise<AppliedFact> {
    if (encryption !== 'MLS') return nothing
    const { changes, stirred } = await this.#joined(id)
    if (user.id !== this.#device.userId) return { changes, stirred }
    // What was said before, this device cannot read.
    return { changes: [...changes, { table: 'seqs', key: id, value: seq }], stirred }
  }

  /** A new device joins by itself; one that is gone has to be removed by another one. */
  #devicesChanged({ inConversation, change, device }: EventOf<'DevicesChanged'>): AppliedFact {
    const concerns = change === 'REMOVED' || device.id === this.#device.deviceId
    return inConversation && concerns ? { changes: [], stirred: [inConversation.id] } : nothing
  }

  async #left({ conversation, user }: EventOf<'MemberLeft'>): Promise<AppliedFact> {
    if (conversation.encryption !== 'MLS') return nothing
    if (user.id !== this.#device.userId) return { changes: [], stirred: [conversation.id] }
    return { changes: [{ table: 'groups', key: conversation.id, value: null }], stirred: [] }
  }

  /** Gives the group up, after a gap or a commit that nobody can apply. The device joins again with the stored GroupInfo. */
  #lose(id: string, { stored }: KnownGroup): AppliedFact {
    return { changes: [this.#vault.changeOf(id, null, { ...stored, pending: null })], stirred: [id] }
  }

  /** The cursor up to which all is applied. */
  cursorChange(cursor: string): EncryptionChange {
    return { table: 'cursor', key: own, value: cursor }
  }
}
