// End-to-end encryption: conversations that the operator cannot read. `openEncryption` joins this device to them, follows their facts,
// makes the commits that they need, encrypts what is sent and decrypts what arrives. Experimental until audited: see docs/encryption.md.

import type { ParleyClient } from './client.ts'
import { catchUp } from './e2ee/catch-up.ts'
import { type EncryptedContent, encodeContent, type SealedFile } from './e2ee/content.ts'
import { searchContents, textsAround } from './e2ee/contents.ts'
import { DeviceDirectory } from './e2ee/directory.ts'
import { EncryptionEvents, RemoveDevice, ReportSealed } from './e2ee/documents.ts'
import { type EncryptionEvent, EncryptionFacts } from './e2ee/facts.ts'
import { type FileToSeal, openFile, sealedName, sealFile } from './e2ee/files.ts'
import type { DeviceIdentity, OwnDevice } from './e2ee/identity.ts'
import { GroupKeeper } from './e2ee/keeper.ts'
import { People } from './e2ee/people.ts'
import { enterDevice, stockKeyPackages } from './e2ee/registration.ts'
import { MessageSealer } from './e2ee/sealing.ts'
import { type EncryptionStorage, own } from './e2ee/storage.ts'
import { EncryptionVault } from './e2ee/vault.ts'
import { ContentView } from './e2ee/view.ts'
import { failureOf, type ParleyFailure } from './failure.ts'
import type { Following } from './follow.ts'
import { notify } from './notify.ts'
import type { OutboxMessage } from './outbox-message.ts'
import { isIncluded, placeOf } from './place.ts'
import type { MessageInput } from './storage.ts'
import { askOf } from './store/ask.ts'
import type { Message } from './store/message-window.ts'
import type { ContentChange, MessageContents } from './store/sealed.ts'

export type { EncryptedContent, SealedFile, UnknownContent, UnreadableReason } from './e2ee/content.ts'
export type { UserDevice } from './e2ee/directory.ts'
export type { FileToSeal } from './e2ee/files.ts'
export { indexedDbEncryption } from './e2ee/indexed-db.ts'
export type { Safety } from './e2ee/people.ts'
export { type DeviceKeys, isSameSafety, safetyNumber, safetyPayload } from './e2ee/safety-number.ts'
export {
  type EncryptionChange,
  type EncryptionStorage,
  type EncryptionTable,
  type EncryptionTables,
  memoryEncryption,
  type StoredContent,
} from './e2ee/storage.ts'

/** The options of `openEncryption`. */
export type EncryptionOptions = {
  /** What others call this device, such as "Firefox on Linux". Used when it is registered. */
  readonly deviceName: string
  /**
   * The most that this device waits for another one to make a commit that any of them can make, in milliseconds: 3,000. A short wait
   * makes conversations ready sooner, a long one lets fewer commits be made in vain.
   */
  readonly jitterMs?: number
  /** Gets each failure before the retry. */
  onTrouble?(failure: ParleyFailure): void
}

/** A message to an encrypted conversation. */
export type EncryptedInput = Omit<MessageInput, 'files' | 'attachmentIds' | 'encrypted'> & {
  readonly files?: readonly FileToSeal[]
}

const jitterMs = 3_000

/**
 * Opens encryption for the user of a client: registers this device if it is new, and follows from then on. `storage` must be that of this
 * user and device alone; what it loses is lost.
 * @throws ParleyFailure if the server cannot be reached or refuses the device
 */
export async function openEncryption(
  client: ParleyClient,
  storage: EncryptionStorage,
  options: EncryptionOptions,
): Promise<DeviceEncryption> {
  const device = await enterDevice(askOf(client), storage, options.deviceName)
  const encryption = new DeviceEncryption(client, storage, device, options)
  await encryption.begin()
  return encryption
}

/** Encryption of one device. Make one with `openEncryption`. */
export class DeviceEncryption implements MessageContents {
  readonly device: DeviceIdentity
  /** The devices of people, and safety numbers. */
  readonly people: People
  readonly #client: ParleyClient
  readonly #storage: EncryptionStorage
  readonly #own: OwnDevice
  readonly #options: EncryptionOptions
  readonly #ask
  readonly #directory: DeviceDirectory
  readonly #vault: EncryptionVault
  readonly #facts: EncryptionFacts
  readonly #keeper: GroupKeeper
  readonly #view: ContentView
  readonly #listeners = new Set<(conversationId: string) => void>()
  /** Conversations to look after once the facts so far are applied, and whether at once. */
  readonly #stirred = new Map<string, boolean>()
  #following: Following | null = null
  #unseal: () => void = () => undefined
  #isStocking = false

  constructor(client: ParleyClient, storage: EncryptionStorage, device: OwnDevice, options: EncryptionOptions) {
    this.device = { userId: device.userId, deviceId: device.deviceId }
    this.#client = client
    this.#storage = storage
    this.#own = device
    this.#options = options
    this.#ask = askOf(client)
    this.#directory = new DeviceDirectory(this.#ask)
    const trust = this.#directory.trusts
    this.#vault = new EncryptionVault(storage, trust)
    this.#facts = new EncryptionFacts(this.#vault, device, trust, this.#ask)
    this.#keeper = new GroupKeeper({
      ...{ ask: this.#ask, vault: this.#vault, device, directory: this.#directory, trust },
      jitterMs: options.jitterMs ?? jitterMs,
      isLive: () => this.#following?.isLive ?? false,
      wait: (conversationId) => this.#stir(conversationId),
      failed: (failure) => this.#trouble(failure),
    })
    this.#view = new ContentView(storage, (conversationId) => this.#notify(conversationId))
    this.people = new People(this.#directory, storage, device)
  }

  /** Follows, and keeps the server in stock. */
  async begin(): Promise<void> {
    await stockKeyPackages(this.#ask, this.#storage, this.#own)
    this.#unseal = this.#client.outbox.sealWith(
      new MessageSealer(this.#vault, this.#ask, (conversationId) => this.#keeper.stir(conversationId, true)),
    )
    for (const [id, seq] of await this.#storage.entries('seqs')) this.#view.reached(id, seq)
    // A commit that was under way when the app closed, and groups that this device is not in.
    for (const [id, { state, pending }] of await this.#storage.entries('groups')) if (!state || pending) this.#stir(id)
    this.#following = this.#client.follow(EncryptionEvents, {
      after: await this.#storage.get('cursor', own),
      onEvent: (event) => this.#apply(event),
      snapshot: () =>
        catchUp({
          ...{ ask: this.#ask, vault: this.#vault, facts: this.#facts },
          stir: (conversationId, isOwn) => this.#stir(conversationId, isOwn),
          shown: (messageId) => this.#showAgain(messageId),
          reached: (conversationId, seq) => this.#view.reached(conversationId, seq),
        }),
      onTrouble: (failure) => this.#trouble(failure),
    })
  }

  /** Whether every fact so far is applied. */
  get isLive(): boolean {
    return this.#following?.isLive ?? false
  }

  /** Makes the group of a conversation that this user has just started. Otherwise some device of a member does so in time. */
  prepare(conversationId: string): Promise<void> {
    return this.#keeper.tend(conversationId)
  }

  /**
   * Sends a message. Like any other one it is in the outbox first, and sent with one key; its text and files are encrypted.
   * @throws ParleyFailure `ENCRYPTION_FAILED` for content that is empty or too long, before anything is sent
   */
  async send({ files = [], replyToId, text, ...input }: EncryptedInput): Promise<OutboxMessage> {
    const sealed = await Promise.all(files.map((file) => sealFile(file)))
    const encrypted: EncryptedContent = {
      ...{ type: 'text', text },
      ...(replyToId == null ? {} : { replyToId }),
      ...(sealed.length === 0 ? {} : { files: sealed.map((each) => each.sealed) }),
    }
    encodeContent(encrypted)
    const uploads = sealed.map(({ blob }) => ({ ...sealedName, blob, isEncrypted: true }))
    return this.#client.send({ ...input, text: '', encrypted, ...(uploads.length === 0 ? {} : { files: uploads }) })
  }

  /** Sends an edit, a deletion or a reaction. @throws ParleyFailure `ENCRYPTION_FAILED` for content that is not valid */
  async change(conversationId: string, encrypted: ContentChange): Promise<OutboxMessage> {
    encodeContent(encrypted)
    return this.#client.send({ conversationId, text: '', encrypted })
  }

  show(conversationId: string, message: Message, viewerId: string | null): Message | null {
    return this.#view.show(conversationId, message, viewerId)
  }

  onContents(listener: (conversationId: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Decrypts the bytes of an attachment. @throws ParleyFailure `ENCRYPTION_FAILED` if they are not those that were sent */
  openFile(bytes: Uint8Array, file: SealedFile): Promise<Blob> {
    return openFile(bytes, file)
  }

  /** Finds messages by a part of their text, newest first: on this device, the server has none. */
  async search(text: string, limit = 50): Promise<readonly { readonly messageId: string; readonly conversationId: string }[]> {
    return searchContents(await this.#storage.entries('contents'), text, limit)
  }

  /** Reports a message to the moderators, with what it and those around it say on this device. @throws ParleyFailure */
  async report(messageId: string, reason: string): Promise<void> {
    const texts = textsAround(await this.#storage.entries('contents'), messageId)
    await this.#ask(ReportSealed, { input: { messageId, reason, texts } })
  }

  /** The epoch of a conversation and its authenticator, which all devices in it have in common; null if this device is not in it. */
  async epoch(conversationId: string): Promise<{ readonly epoch: number; readonly authenticator: string } | null> {
    const { group } = await this.#vault.exclusive(() => this.#vault.group(conversationId))
    return group && { epoch: group.epoch, authenticator: group.authenticator }
  }

  /** The devices in the group of a conversation. */
  async devicesIn(conversationId: string): Promise<readonly DeviceIdentity[]> {
    const { group } = await this.#vault.exclusive(() => this.#vault.group(conversationId))
    return (group?.devices ?? []).map(({ userId, deviceId }) => ({ userId, deviceId }))
  }

  /** Removes a device of the user for good, such as a lost one. @throws ParleyFailure */
  async removeDevice(deviceId: string): Promise<void> {
    await this.#ask(RemoveDevice, { input: { deviceId } })
    this.#directory.forget(this.#own.userId)
  }

  /** Stops following, and closes the storage. The client stays open, and sends no encrypted message any more. */
  async close(): Promise<void> {
    this.#unseal()
    this.#following?.stop()
    await this.#keeper.close()
    await this.#vault.close()
    this.#listeners.clear()
  }

  async #apply(event: EncryptionEvent): Promise<void> {
    if (event.__typename === 'DevicesChanged') this.#directory.forget(event.user.id)
    await this.#vault.exclusive(async () => {
      // Another tab has applied it.
      if (isIncluded(placeOf(event.cursor), placeOf(await this.#storage.get('cursor', own)))) return
      const { changes, stirred } = await this.#facts.apply(event)
      // Whatever changes nothing may come again: a plain message costs no write.
      const isLasting = changes.length > 0 || stirred.length > 0 || event.__typename === 'CaughtUp' || event.__typename === 'Tick'
      if (isLasting) await this.#vault.write([...changes, this.#facts.cursorChange(event.cursor)])
      for (const id of stirred) this.#stir(id)
    })
    await this.#after(event)
  }

  /** What follows from an event, in each tab. */
  async #after(event: EncryptionEvent): Promise<void> {
    if (event.__typename === 'MessageSent' && event.message.epoch != null) {
      await this.#showAgain(event.message.id)
      this.#view.reached(event.conversation.id, event.message.seq)
    }
    if (event.__typename === 'MemberJoined' && event.user.id === this.device.userId) {
      this.#view.reached(event.conversation.id, event.seq)
    }
    if (event.__typename === 'MessageDeleted') await this.#showAgain(event.message.id)
    if (event.__typename === 'EpochCommitted') this.#client.outbox.hurry()
    if (event.__typename === 'WelcomeReceived' && event.device.id === this.device.deviceId) {
      this.#client.outbox.hurry()
      this.#restock()
    }
    const isAtHead = event.__typename === 'CaughtUp' || event.__typename === 'Tick' || this.isLive
    if (!isAtHead) return
    // After this event has counted: the keeper works only when all facts are applied.
    const stirred = [...this.#stirred]
    this.#stirred.clear()
    for (const [id, isOwn] of stirred) this.#keeper.stir(id, isOwn)
  }

  #stir(conversationId: string, isOwn = false): void {
    this.#stirred.set(conversationId, isOwn || this.#stirred.get(conversationId) === true)
  }

  async #showAgain(messageId: string): Promise<void> {
    const content = await this.#storage.get('contents', messageId)
    if (!content) return
    this.#view.put(messageId, content)
    if (!('messageId' in content.content)) return
    const target = await this.#storage.get('contents', content.content.messageId)
    if (target) this.#view.put(content.content.messageId, target)
  }

  #restock(): void {
    if (this.#isStocking) return
    this.#isStocking = true
    stockKeyPackages(this.#ask, this.#storage, this.#own)
      .catch((error: unknown) => this.#trouble(failureOf(error)))
      .finally(() => {
        this.#isStocking = false
      })
  }

  #notify(conversationId: string): void {
    for (const listener of [...this.#listeners]) notify(() => listener(conversationId))
  }

  #trouble(failure: ParleyFailure): void {
    notify(() => this.#options.onTrouble?.(failure))
  }
}
