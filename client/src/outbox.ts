// The outbox sends messages in order. It stores each one first, and sends it with the same key until the server answers. It
// outlives the app if its storage does. Tabs that share a storage take turns; if two send the same message nevertheless, the
// server accepts its key once (D2).

import { onNetwork, withLock } from './browser.ts'
import { failureOf, ParleyFailure, refusal } from './failure.ts'
import { logError } from './notify.ts'
import { sendMessage } from './operations.ts'
import { type Sealer, sealed, uploadFiles } from './outbox-content.ts'
import { fromStored, Messages, type OutboxMessage, statusOf, toStored } from './outbox-message.ts'
import { backOffMs, Pause, type PauseBounds } from './pause.ts'
import { isIncluded, type JournalPlace, laterOf, placeOf } from './place.ts'
import { type FileUpload, type MessageInput, type OutboxStorage, reporting, type StoredMessage } from './storage.ts'
import type { UploadHost } from './upload.ts'
import { uuidv7 } from './uuid.ts'

/** What an outbox needs of the client. */
export type OutboxHost = UploadHost & {
  readonly backOff: PauseBounds
  /** Whether the session is over: then queued messages stay for the next client. */
  isOver(): boolean
  /** Whether the app follows events: then the event of a message brings it to the app. */
  isFollowed(): boolean
}

/** A message whose event the app is processing. It is hidden in the outbox, and listeners do not know yet. */
export type Leaving = {
  /** The app processes the event asynchronously: the outbox shows the message until it has finished. */
  wait(): void
  /** The app has processed the event. */
  processed(): void
  /** The app failed to process the event, which comes again. */
  failed(): void
}

const lockMs = 60_000
/** How many messages the outbox holds; `send` throws a RangeError beyond that. */
export const queuedMax = 10_000
const discardedMs = 24 * 3_600_000

/** The unsent messages of a client. */
export class Outbox {
  readonly #storage: OutboxStorage
  readonly #host: OutboxHost
  readonly #messages = new Messages()
  /** Keys of messages that are in the storage. */
  readonly #isAdded = new Set<string>()
  /** The app has every event up to this place. */
  #reached: JournalPlace | null = null
  /** The epochs of the journal that have ended. The snapshot of the next one has what was sent in them. */
  readonly #endedEpochs = new Set<string>()
  /** Keys of messages whose files were uploaded again. */
  readonly #isUploadedAgain = new Set<string>()
  readonly #pause = new Pause()
  readonly #unlisten: () => void
  #sealer: Sealer | null = null
  #working: Promise<void> | null = null
  readonly #closing = new AbortController()
  #isClosed = false
  #attempt = 0

  constructor(storage: OutboxStorage, host: OutboxHost) {
    this.#storage = reporting(storage)
    this.#host = host
    this.#unlisten = onNetwork((isThere) => {
      if (isThere) this.#pause.end()
    })
    this.#work()
  }

  /** The messages that are queued, under way, failed, or sent without their event, in order: the same array until a change. */
  get messages(): readonly OutboxMessage[] {
    return this.#messages.list
  }

  /**
   * Calls the listener at every change of a message, also of messages from an earlier run. A message may be reported as `SENT`
   * twice: when the server answers, and when it leaves the outbox. @returns a function to remove the listener
   */
  onChange(listener: (message: OutboxMessage) => void): () => void {
    return this.#messages.onChange(listener)
  }

  /**
   * Queues a message. Once this resolves, the message is stored and will be sent.
   * @throws RangeError if the outbox is full
   * @throws ParleyFailure `APP_FAILED` if the storage fails; its `cause` is the error of the storage
   */
  async send(input: MessageInput, clientMessageId = uuidv7()): Promise<OutboxMessage> {
    if (this.#messages.size >= queuedMax) throw new RangeError(`The outbox is full: it holds ${queuedMax} messages.`)
    const stored: StoredMessage = { clientMessageId, input, queuedAtMs: Date.now(), failure: null }
    const message = this.#messages.set(fromStored(stored))
    try {
      await this.#storage.add(stored)
    } catch (error) {
      this.#drop({ ...message, status: 'DISCARDED' })
      throw error
    }
    this.#isAdded.add(clientMessageId)
    this.#work()
    return message
  }

  /**
   * Resolves when a message is `SENT`, `FAILED` or `DISCARDED`. If the client closes first, it resolves with the message as it is
   * then, `QUEUED` or `SENDING`; the next client on the same storage sends it.
   * @throws RangeError for an unknown key
   */
  settled(clientMessageId: string): Promise<OutboxMessage> {
    return new Promise((resolve, reject) => {
      const now = this.#messages.known(clientMessageId)
      if (!now) return reject(new RangeError('The outbox has no such message.'))
      if (!isOnItsWay(now) || this.#isClosed) return resolve(now)
      const done = (message: OutboxMessage) => {
        stop()
        this.#closing.signal.removeEventListener('abort', closed)
        resolve(message)
      }
      const closed = () => done(this.#messages.get(clientMessageId) ?? now)
      const stop = this.onChange((message) => {
        if (message.clientMessageId === clientMessageId && !isOnItsWay(message)) done(message)
      })
      this.#closing.signal.addEventListener('abort', closed)
    })
  }

  /** Queues a failed message again, with the same key. */
  async retry(clientMessageId: string): Promise<void> {
    const message = this.#messages.get(clientMessageId)
    if (message?.status !== 'FAILED') return
    const queued: OutboxMessage = { ...message, status: 'QUEUED', failure: null }
    await this.#storage.replace(toStored(queued))
    this.#messages.set(queued)
    this.#work()
  }

  /** Removes a message. The server may have it nevertheless, if an earlier attempt had no answer. */
  async discard(clientMessageId: string): Promise<void> {
    const message = this.#messages.get(clientMessageId)
    if (!message) return
    const { conversationId } = message.input
    await this.#storage.replace({
      ...toStored({ ...message, input: { conversationId, text: '' } }),
      discardedAtMs: Date.now(),
    })
    if (this.#messages.get(clientMessageId)) this.#drop({ ...message, status: 'DISCARDED' })
  }

  /** Reports that an event has brought a message: it is sent, even if its answer was lost. Null if it is not in the outbox. */
  received(clientMessageId: string): Leaving | null {
    const message = this.#messages.get(clientMessageId)
    if (!message) return null
    const sent: OutboxMessage = { ...message, status: 'SENT', failure: null }
    this.#messages.hold(sent, false)
    this.#storage.remove(clientMessageId).catch(() => undefined)
    return {
      wait: () => this.#messages.hold(sent, true),
      processed: () => this.#drop(sent),
      failed: () => void this.#messages.set(sent),
    }
  }

  /**
   * Reports that the app has every event up to a cursor.
   * @param isAll whether there were no more events then
   */
  reached(cursor: string, isAll: boolean): void {
    const place = placeOf(cursor)
    const isNewEpoch = place && this.#reached && place.epoch !== this.#reached.epoch && !this.#endedEpochs.has(place.epoch)
    if (isNewEpoch) this.#endedEpochs.add(this.#reached?.epoch ?? '')
    this.#reached = isNewEpoch ? place : laterOf(this.#reached, place)
    if (this.#messages.size === 0) return
    for (const message of this.#messages.all()) {
      if (message.status !== 'SENT') continue
      if (message.sent === null ? isAll : this.#isBrought(message) || (isAll && this.#isForeign(message))) this.#drop(message)
    }
  }

  /** Reports that the app follows nothing any more: no event will bring the sent messages, so they leave now. */
  unfollowed(): void {
    for (const message of this.#messages.all()) if (message.status === 'SENT') this.#drop(message)
  }

  /** Encrypts what is sent from now on. Messages that have waited for it are sent. @returns a function to stop it */
  sealWith(sealer: Sealer): () => void {
    this.#sealer = sealer
    this.#work()
    return () => {
      if (this.#sealer === sealer) this.#sealer = null
    }
  }

  /** Tries again at once, if it waits: what kept a message from being sent may be over. */
  hurry(): void {
    this.#pause.end()
  }

  /** Stops sending and closes the storage. Queued messages stay in it. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    this.#unlisten()
    this.#pause.end()
    await this.#working
    await this.#storage.close()
  }

  #work(): void {
    if (this.#isClosed || this.#host.isOver()) return
    this.#working ??= this.#rounds().finally(() => {
      this.#working = null
      if (this.#messages.all().some((m) => this.#isReady(m) && this.#isAdded.has(m.clientMessageId))) this.#work()
    })
  }

  async #rounds(): Promise<void> {
    for (let isDone = false; !isDone && !this.#isClosed && !this.#host.isOver(); ) {
      const name = this.#storage.name
      const round = () => this.#round()
      const failure = await (name === null
        ? round()
        : withLock(`parley-outbox:${name}`, lockMs, round, this.#closing.signal)
      ).catch(failureOf)
      isDone = failure === null
      if (failure?.code === 'APP_FAILED' && this.#attempt === 0) logError(failure.cause)
      if (failure && !this.#isClosed && !this.#host.isOver()) {
        await this.#pause.wait((failure.retryAfterMs ?? 0) + backOffMs(this.#attempt, this.#host.backOff))
        this.#attempt += 1
      }
    }
  }

  /** Sends all stored messages, one after another. @returns the failure that stopped it; null if none is left */
  async #round(): Promise<ParleyFailure | null> {
    // A message that is added during the read may be missing from its result.
    const known = new Set(this.#isAdded)
    const stored = await this.#storage.load()
    this.#reconcile(stored, known)
    for (const { clientMessageId, discardedAtMs = Number.POSITIVE_INFINITY } of stored) {
      if (Date.now() - discardedAtMs > discardedMs) await this.#storage.remove(clientMessageId)
    }
    for (const { clientMessageId } of stored) {
      if (this.#isClosed || this.#host.isOver()) return null
      const message = this.#messages.get(clientMessageId)
      if (message?.status === 'SENT') await this.#storage.remove(clientMessageId)
      if (message?.status !== 'QUEUED') continue
      // Another tab may have changed it while this one sent the messages before it.
      this.#update(message, await this.#storage.find(clientMessageId))
      const now = this.#messages.get(clientMessageId)
      if (!now || !this.#isReady(now)) continue
      const failure = await this.#sendOne(this.#messages.set({ ...now, status: 'SENDING' }))
      if (failure) return failure
      this.#attempt = 0
    }
    return null
  }

  /** Whether a message may be sent. What has to be encrypted waits for the sealer. */
  #isReady({ status, input }: OutboxMessage): boolean {
    return status === 'QUEUED' && (input.encrypted === undefined || this.#sealer !== null)
  }

  /** Brings the messages in memory in line with the storage, which other tabs and earlier runs have changed. */
  #reconcile(stored: readonly StoredMessage[], known: ReadonlySet<string>): void {
    const kept = new Map(stored.map((message) => [message.clientMessageId, message]))
    for (const message of this.#messages.all()) {
      const other = kept.get(message.clientMessageId) ?? null
      if (other || known.has(message.clientMessageId)) this.#update(message, other)
    }
    for (const message of stored) {
      if (message.discardedAtMs !== undefined) continue
      this.#isAdded.add(message.clientMessageId)
      if (!this.#messages.get(message.clientMessageId)) this.#messages.set(fromStored(message))
    }
  }

  /** Brings one message in line with its stored form; if that is gone, another tab has sent it. */
  #update(message: OutboxMessage, other: StoredMessage | null): void {
    const now = this.#messages.get(message.clientMessageId)
    if (!now || now.status === 'SENT') return // settled here while the storage was read
    if (!other) this.#finish({ ...message, status: 'SENT', failure: null })
    else if (other.discardedAtMs !== undefined) this.#drop({ ...message, status: 'DISCARDED' })
    else if (message.status !== statusOf(other)) this.#messages.set(fromStored(other))
  }

  /** @returns why it needs a retry; null if it is settled */
  async #sendOne(queued: OutboxMessage): Promise<ParleyFailure | null> {
    const { clientMessageId } = queued
    const result = await uploadFiles(this.#host, queued, (uploads, isLasting) =>
      this.#keepUploads(clientMessageId, uploads, isLasting),
    )
      .then((input) => sealed(this.#sealer, input, clientMessageId))
      .then((input) => this.#host.execute(sendMessage, { input: { ...input, clientMessageId } }))
      .then(({ data, errors }) => (errors ? refusal(errors) : (data as SendAnswer)))
      .catch(failureOf)
    const message = this.#messages.get(clientMessageId)
    // Its event came first, or it was discarded.
    if (message?.status !== 'SENDING') return null
    if (!(result instanceof Error)) {
      const { message: made, cursor } = result.sendMessage
      const sent = { messageId: made.id, seq: made.seq, createdAt: made.createdAt, cursor }
      this.#finish({ ...message, status: 'SENT', sent })
      await this.#storage.remove(clientMessageId)
      return null
    }
    if (isAboutEpochs(result)) this.#sealer?.refused(message.input.conversationId, result.code)
    if (result.isRetryable || result.endsSession || result.code === 'TOKEN_EXPIRED' || isAboutEpochs(result)) {
      this.#messages.set({ ...message, status: 'QUEUED' })
      return result
    }
    // The app was closed for so long that the server has removed the uploads: they begin once more.
    if (isAboutFiles(result) && message.uploads.length > 0 && !this.#isUploadedAgain.has(clientMessageId)) {
      this.#isUploadedAgain.add(clientMessageId)
      await this.#storage.replace(toStored(this.#messages.set({ ...message, status: 'QUEUED', uploads: [] })))
      return result
    }
    const failed = this.#messages.set({ ...message, status: 'FAILED', failure: { code: result.code, message: result.message } })
    await this.#storage.replace(toStored(failed))
    return null
  }

  /** Keeps how far the uploads of a message are. @throws ParleyFailure if it was discarded */
  async #keepUploads(clientMessageId: string, uploads: readonly (FileUpload | null)[], isLasting: boolean): Promise<void> {
    const message = this.#messages.get(clientMessageId)
    if (message?.status !== 'SENDING') throw new ParleyFailure('APP_FAILED', 'The message was discarded.', false)
    const changed = this.#messages.set({ ...message, uploads })
    if (isLasting) await this.#storage.replace(toStored(changed))
  }

  /** Marks a message as sent. It leaves with its event if that is still to come, otherwise now. */
  #finish(message: OutboxMessage): void {
    if (this.#host.isFollowed() && !this.#isBrought(message)) this.#messages.set(message)
    else this.#drop(message)
  }

  #isBrought({ sent }: OutboxMessage): boolean {
    const place = placeOf(sent?.cursor)
    return place !== null && (isIncluded(place, this.#reached) || this.#endedEpochs.has(place.epoch))
  }

  /** Whether it was sent in another epoch than that of the last event. No event will bring it, and a snapshot has. */
  #isForeign({ sent }: OutboxMessage): boolean {
    return placeOf(sent?.cursor)?.epoch !== this.#reached?.epoch
  }

  #drop(message: OutboxMessage): void {
    this.#isAdded.delete(message.clientMessageId)
    this.#messages.drop(message)
  }
}

type SendAnswer = {
  readonly sendMessage: { readonly message: { id: string; seq: number; createdAt: string }; readonly cursor: string }
}

/** Whether the server refused a message because it does not have its files. */
const isAboutFiles = ({ code, argument = '' }: ParleyFailure) =>
  code === 'UPLOAD_INCOMPLETE' || (code === 'NOT_FOUND' && argument.startsWith('input.attachmentIds'))

/** Whether the server refused a message because it was encrypted for another epoch than the one to come, or there is none yet. */
const isAboutEpochs = ({ code }: ParleyFailure) => code === 'EPOCH_STALE' || code === 'REKEY_REQUIRED'

const isOnItsWay = ({ status }: OutboxMessage) => status === 'QUEUED' || status === 'SENDING'
