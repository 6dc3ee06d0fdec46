// `parley import`: users, conversations and messages of another system, from lines of JSON, over the API of a running server.

import { open, readFile } from 'node:fs/promises'
import pLimit from 'p-limit'
import { groupBy } from '../graphql/loader.ts'
import { type BackendClient, openBackend, Refused } from './backend-client.ts'
import { type Command, FailedResult, onlyOne, readArguments, UsageError } from './command.ts'
import { type LineOf, readLine } from './import-lines.ts'

/** How many messages are read ahead, how many go in one request, and how many conversations are filled at once. */
const [windowMax, batchMax, conversationsAtOnce] = [20_000, 100, 8] as const
const progressMs = 5_000

export const importFile: Command = {
  summary: 'Imports users, conversations and messages of another system from lines of JSON.',
  usage: ['FILE --key-file KEY [--url URL] [--keep-going]'],
  help: [
    'KEY is a file with a server key of the scopes users and import. URL is that of GraphQL, by default http://127.0.0.1:4000/graphql.',
    'The import stops at the first line that is wrong; with --keep-going it tells them all and imports the rest.',
    'Run it again if it broke off: what was imported before is not imported twice. The form of the lines is in docs/platform.md.',
  ].join('\n'),
  async run(given) {
    const { values, positionals } = readArguments(given, {
      'key-file': { type: 'string' },
      url: { type: 'string', default: 'http://127.0.0.1:4000/graphql' },
      'keep-going': { type: 'boolean', default: false },
    })
    const file = onlyOne(positionals, 'file')
    const keyFile = values['key-file']
    if (keyFile === undefined) throw new UsageError('Give a file with a server key: --key-file KEY.')
    if (!URL.canParse(values.url)) throw new UsageError(`${values.url} is not a URL.`)
    const key = (await readFile(keyFile, 'utf8').catch(fail)).trim()
    const lines = await open(file).catch(fail)
    const importer = new Importer(openBackend(values.url, key), values['keep-going'])
    const ticking = setInterval(() => process.stderr.write(`${importer.progress()}\n`), progressMs)
    try {
      let number = 0
      for await (const text of lines.readLines()) {
        number += 1
        await importer.add(text, number)
      }
      await importer.complete()
    } catch (error) {
      if (error instanceof Stopped) throw new FailedResult(`${error.message}\n${importer.progress()}`)
      throw error
    } finally {
      clearInterval(ticking)
      await lines.close()
    }
    if (importer.faults > 0) throw new FailedResult(importer.progress())
    return importer.progress()
  },
}

const fail = (error: Error): never => {
  throw new FailedResult(error.message)
}

/** A line is wrong, and the import is to stop there. */
class Stopped extends Error {
  override readonly name = 'Stopped'
}

type Numbered<T> = T & { readonly number: number }
type MessageLine = Numbered<LineOf<'message'>>
/** A conversation under way. */
type Filled = {
  readonly id: string
  readonly members: LineOf<'conversation'>['members']
  lastAt: string
  readonly number: number
}

class Importer {
  readonly #backend: BackendClient
  readonly #keepsGoing: boolean
  readonly #conversations = new Map<string, Filled>()
  #users: Numbered<LineOf<'user'>>[] = []
  #messages: MessageLine[] = []
  readonly #limit = pLimit(conversationsAtOnce)
  readonly #startedAt = Date.now()
  readonly #counts = { lines: 0, users: 0, stored: 0, repeated: 0, conversations: 0 }
  faults = 0

  constructor(backend: BackendClient, keepsGoing: boolean) {
    this.#backend = backend
    this.#keepsGoing = keepsGoing
  }

  progress(): string {
    const { lines, users, stored, repeated, conversations } = this.#counts
    const perMinute = Math.round((stored / (Date.now() - this.#startedAt)) * 60_000)
    return `${lines} lines: ${users} users, ${conversations} conversations complete, ${stored} messages imported (${perMinute} a minute), ${repeated} already there, ${this.faults} lines wrong`
  }

  /** Adds a line. @throws Stopped at a wrong line, unless the import keeps going */
  async add(text: string, number: number): Promise<void> {
    this.#counts.lines = number
    if (text.trim() === '') return
    const line = readLine(text)
    if ('fault' in line) return this.#wrong(number, line.fault)
    if (line.type === 'user') {
      this.#users.push({ ...line, number })
      if (this.#users.length >= batchMax) await this.#sendUsers()
    } else if (line.type === 'conversation') {
      await this.#sendUsers()
      await this.#begin(line, number)
    } else {
      this.#messages.push({ ...line, number })
      if (this.#messages.length >= windowMax) await this.#sendMessages()
    }
  }

  /** Sends what is left, and completes the conversations in the order of their last messages. */
  async complete(): Promise<void> {
    await this.#sendMessages()
    const all = [...this.#conversations.values()].sort((a, b) => Date.parse(a.lastAt) - Date.parse(b.lastAt))
    for (const { id, members, number } of all) {
      const listed = members?.map(({ id: userId, role }) => ({ userId, role }))
      await this.#try(number, () => this.#backend.completeImport({ conversationId: id, members: listed }))
      this.#counts.conversations += 1
    }
  }

  async #begin({ type: _, id: externalId, direct, members, ...others }: LineOf<'conversation'>, number: number): Promise<void> {
    const input = { externalId, memberIds: direct, ...others }
    const id = await this.#try(number, () => this.#backend.importConversation(input))
    if (id !== null)
      this.#conversations.set(externalId, { id, members, number, lastAt: others.createdAt ?? '1970-01-01T00:00:00Z' })
  }

  async #sendUsers(): Promise<void> {
    const users = this.#users
    this.#users = []
    await this.#halving(users, async (batch) => {
      await this.#backend.upsertUsers(batch.map(({ type: _, id, number: __, ...user }) => ({ externalId: id, ...user })))
      this.#counts.users += batch.length
    })
  }

  async #sendMessages(): Promise<void> {
    await this.#sendUsers()
    const byConversation = groupBy(this.#messages, ({ conversation }) => conversation)
    this.#messages = []
    const filled = [...byConversation].map(([name, messages]) => this.#limit(() => this.#fill(name, messages)))
    // All of them, also after a failure: nothing is under way when the import stops.
    const failed = (await Promise.allSettled(filled)).find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
  }

  async #fill(name: string, messages: readonly MessageLine[]): Promise<void> {
    const conversation = this.#conversations.get(name)
    if (!conversation) {
      for (const { number } of messages) this.#wrong(number, `there is no conversation ${name} before it`)
      return
    }
    for (let from = 0; from < messages.length; from += batchMax) {
      await this.#halving(messages.slice(from, from + batchMax), (batch) => this.#store(conversation, batch))
    }
  }

  async #store(conversation: Filled, batch: readonly MessageLine[]): Promise<void> {
    const { stored, repeated, refused } = await this.#backend.importMessages({
      conversationId: conversation.id,
      messages: batch.map(({ id, sender, text, createdAt, replyTo, mentions, data }) => ({
        externalId: id,
        senderId: sender,
        text,
        createdAt,
        replyToExternalId: replyTo,
        mentionedUserIds: mentions,
        data,
      })),
    })
    this.#counts.stored += stored
    this.#counts.repeated += repeated
    conversation.lastAt = batch.at(-1)?.createdAt ?? conversation.lastAt
    const numbers = new Map(batch.map(({ id, number }) => [id, number]))
    for (const { externalId, reason } of refused) this.#wrong(numbers.get(externalId) ?? 0, reason)
  }

  /** Sends a batch; if it is refused, halves it until the wrong line is alone. */
  async #halving<T extends { readonly number: number }>(
    batch: readonly T[],
    send: (part: readonly T[]) => Promise<void>,
  ): Promise<void> {
    const [first] = batch
    if (!first) return
    try {
      await send(batch)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      if (batch.length === 1) return this.#wrong(first.number, error.message)
      const half = Math.ceil(batch.length / 2)
      await this.#halving(batch.slice(0, half), send)
      await this.#halving(batch.slice(half), send)
    }
  }

  async #try<T>(number: number, send: () => Promise<T>): Promise<T | null> {
    try {
      return await send()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#wrong(number, error.message)
      return null
    }
  }

  #wrong(number: number, fault: string): void {
    this.faults += 1
    const told = `line ${number}: ${fault}`
    if (!this.#keepsGoing) throw new Stopped(told)
    process.stderr.write(`${told}\n`)
  }
}
