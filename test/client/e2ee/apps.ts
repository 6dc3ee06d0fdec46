// Apps with encryption against a real node: each is one device of a user, with a client, a store and a storage.

import WebSocket from 'ws'
import {
  createParleyClient,
  memoryOutbox,
  type OutboxStorage,
  type ParleyClient,
  type ParleyFailure,
} from '../../../client/src/client.ts'
import { type DeviceEncryption, type EncryptionStorage, memoryEncryption, openEncryption } from '../../../client/src/e2ee.ts'
import { type Message, openStore, type ParleyStore } from '../../../client/src/react.ts'
import type { Device } from '../../support/device.ts'
import { CreateGroup } from '../../support/documents.ts'
import { closeAtEnd } from '../../support/node.ts'
import { until } from '../../support/until.ts'
import { quick, sessionOf, withoutGateway } from '../app.ts'

/** What an app keeps between its runs. */
export type Kept = { readonly storage: EncryptionStorage; readonly outbox: OutboxStorage }

export const newKept = (): Kept => ({ storage: memoryEncryption(), outbox: memoryOutbox() })

/** What a test may change of an app. */
export type AppOptions = { readonly fetch?: typeof globalThis.fetch; readonly jitterMs?: number }

/** A running app. */
export class EncryptedApp {
  readonly device: Device
  readonly kept: Kept
  readonly client: ParleyClient
  readonly encryption: DeviceEncryption
  readonly store: ParleyStore
  readonly troubles: ParleyFailure[]
  #isOver = false

  private constructor(device: Device, kept: Kept, parts: Pick<EncryptedApp, 'client' | 'encryption' | 'store' | 'troubles'>) {
    this.device = device
    this.kept = kept
    this.client = parts.client
    this.encryption = parts.encryption
    this.store = parts.store
    this.troubles = parts.troubles
  }

  static async open(device: Device, kept = newKept(), options: AppOptions = {}): Promise<EncryptedApp> {
    const { fetch = withoutGateway, jitterMs = 100 } = options
    const client = createParleyClient({
      url: device.node.url,
      session: sessionOf(device),
      webSocketImpl: WebSocket as never,
      fetch,
      outbox: kept.outbox,
      limits: quick,
    })
    const troubles: ParleyFailure[] = []
    const onTrouble = (failure: ParleyFailure) => void troubles.push(failure)
    const encryption = await openEncryption(client, kept.storage, { deviceName: device.username, jitterMs, onTrouble })
    const store = await openStore(client, null, encryption)
    await until(`${device.username} to be live`, () => client.state.status === 'LIVE').catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(client.state)} ${troubles.map(String).join(', ')}`)
    })
    const opened = new EncryptedApp(device, kept, { client, encryption, store, troubles })
    closeAtEnd(() => opened.close())
    return opened
  }

  /** Stops it in an orderly way. */
  async close(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.store.close()
    await this.encryption.close()
    await this.client.close()
  }

  /** Stops it at once, as a crash does: what is not stored is lost. */
  abandon(): void {
    this.#isOver = true
    // None of them ends: what waits for a dead storage waits for ever.
    void this.client.close()
    void this.store.close()
    void this.encryption.close()
  }

  /** Starts an encrypted group. */
  async group(...others: readonly Device[]): Promise<string> {
    const input = { title: 'Secret', memberIds: others.map(({ userId }) => userId), encryption: 'MLS' as const }
    const { createGroup } = await this.device.run(CreateGroup, { input })
    return createGroup.conversation.id
  }

  /** Sends a text; resolves when it is sent. */
  async say(conversationId: string, text: string): Promise<void> {
    const { clientMessageId } = await this.encryption.send({ conversationId, text })
    const { status, failure } = await this.client.outbox.settled(clientMessageId)
    if (status !== 'SENT') throw new Error(`${status}: ${failure?.code} ${failure?.message}`)
  }

  /** The messages that the app shows. */
  messages(conversationId: string): readonly Message[] {
    this.store.watch(conversationId)
    return this.store.messages(conversationId).messages
  }

  texts(conversationId: string): string[] {
    return this.messages(conversationId).map(({ text, sealed }) => (sealed?.status === 'READ' ? text : `(${sealed?.status})`))
  }

  /** Waits until it shows a text. */
  async hears(conversationId: string, text: string): Promise<void> {
    await until(`${this.device.username} to read "${text}"`, () => this.texts(conversationId).includes(text), 12_000).catch(
      (error: Error) => {
        const troubles = this.troubles.map(({ code, message }) => `${code} ${message}`)
        throw new Error(`${error.message}; shows ${JSON.stringify(this.texts(conversationId))}; ${troubles.slice(-5).join(', ')}`)
      },
    )
  }
}

/** Waits until all apps are in the same epoch of a conversation, with so many devices. @returns the epoch */
export async function agreed(conversationId: string, apps: readonly EncryptedApp[], devices: number): Promise<number> {
  let epoch = 0
  let seen = ''
  await until(
    'all devices to agree',
    async () => {
      const epochs = await Promise.all(apps.map(({ encryption }) => encryption.epoch(conversationId)))
      const counts = await Promise.all(apps.map(async ({ encryption }) => (await encryption.devicesIn(conversationId)).length))
      epoch = epochs[0]?.epoch ?? 0
      seen = JSON.stringify({ epochs, counts, troubles: apps.map(({ troubles }) => troubles.slice(-2).map(String)) })
      return new Set(epochs.map((each) => each?.authenticator ?? null)).size === 1 && counts.every((count) => count === devices)
    },
    12_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${seen}`)
  })
  return epoch
}
