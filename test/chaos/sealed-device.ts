// A device in the encrypted group of a chaos run: the client library with its real encryption. It keeps the keys of every epoch that
// it has ever been in for the checker, which must know who could have read what.

import { type ParleyClient, ParleyFailure } from '../../client/src/client.ts'
import { EncryptedGroup } from '../../client/src/e2ee/group.ts'
import { type DeviceEncryption, type EncryptionStorage, memoryEncryption, openEncryption } from '../../client/src/e2ee.ts'
import { openChaosClient } from './chaos-client.ts'
import type { RunRecord } from './record.ts'

const limits = { silenceMs: 4_000, connectMs: 2_000, requestMs: 4_000, firstMs: 50, maxMs: 600 }
const jitterMs = 200
/** A busy machine answers late. */
const beginsMax = 10

/** A text that a device was asked to send. */
export type SealedSend = {
  readonly clientMessageId: string
  readonly text: string
  readonly device: SealedDevice
  /** Whether the server has taken it; null while nobody knows. */
  isSent: boolean | null
  /** The message in the answer; null without one, also if the event came first. */
  messageId: string | null
}

/** The user of a device. */
export type SealedUser = { readonly id: string; readonly userId: number; readonly accessToken: string }

/** One device. */
export class SealedDevice {
  readonly name: string
  readonly user: SealedUser
  /** The authenticators of each epoch that it was in: more than one means that the group has split. */
  readonly epochs = new Map<number, Set<string>>()
  readonly sends: SealedSend[] = []
  readonly #record: RunRecord
  readonly #client: ParleyClient
  readonly #storage: EncryptionStorage
  #encryption: DeviceEncryption | null = null
  #open = 0

  constructor(name: string, user: SealedUser, url: string, fetch: typeof globalThis.fetch, record: RunRecord) {
    this.name = name
    this.user = user
    this.#record = record
    this.#storage = this.#recording(memoryEncryption())
    const { accessToken } = user
    this.#client = openChaosClient(url, accessToken, fetch, limits)
  }

  /** Registers the device, and follows from then on. Tries it again while there is no answer. */
  async begin(): Promise<void> {
    const onTrouble = ({ code }: ParleyFailure) => this.#record.count(`sealed trouble: ${code}`)
    for (let left = beginsMax; ; left -= 1) {
      try {
        this.#encryption = await openEncryption(this.#client, this.#storage, { deviceName: this.name, jitterMs, onTrouble })
        return
      } catch (error) {
        if (left === 0 || !(error instanceof ParleyFailure) || !error.isRetryable) throw error
      }
    }
  }

  get encryption(): DeviceEncryption {
    if (!this.#encryption) throw new Error(`${this.name} has not begun`)
    return this.#encryption
  }

  /** How many sends have no result yet. */
  get unsettled(): number {
    return this.#open
  }

  /** Gives a text to the outbox, and does not wait for its result. */
  async say(conversationId: string, text: string): Promise<void> {
    this.#open += 1
    const { clientMessageId } = await this.encryption.send({ conversationId, text })
    const send: SealedSend = { clientMessageId, text, device: this, isSent: null, messageId: null }
    this.sends.push(send)
    void this.#settle(send)
  }

  /** What the device shows of a message; null if that is no text. */
  async textOf(messageId: string): Promise<string | null> {
    const found = await this.#storage.get('contents', messageId)
    return found?.content.type === 'text' ? found.content.text : null
  }

  /** Stops it. What it has read stays readable. */
  async close(): Promise<void> {
    await this.#encryption?.close()
    await this.#client.close()
  }

  async #settle(send: SealedSend): Promise<void> {
    const { status, sent, failure } = await this.#client.outbox.settled(send.clientMessageId)
    // The run is over before it was.
    if (status === 'QUEUED' || status === 'SENDING') return
    send.isSent = status === 'SENT'
    send.messageId = sent?.messageId ?? null
    this.#record.count(send.isSent ? 'sealed texts sent' : 'sealed texts refused')
    // Who was removed may not send: anything else must end with a message.
    if (!send.isSent && failure?.code !== 'NOT_FOUND' && failure?.code !== 'FORBIDDEN') {
      this.#record.violation(`D1 ${this.name}: "${send.text}" was refused with ${failure?.code}: ${failure?.message}`)
    }
    if (!send.isSent) await this.#client.outbox.discard(send.clientMessageId)
    this.#open -= 1
  }

  #recording(storage: EncryptionStorage): EncryptionStorage {
    return {
      ...storage,
      write: async (changes) => {
        await storage.write(changes)
        for (const change of changes) {
          if (change.table !== 'groups' || !change.value?.state) continue
          const { epoch, authenticator } = EncryptedGroup.restore(change.value.state, async () => true)
          this.epochs.set(epoch, (this.epochs.get(epoch) ?? new Set()).add(authenticator))
        }
      },
    }
  }
}
