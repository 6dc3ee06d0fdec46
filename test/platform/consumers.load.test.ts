// A consumer of `changes` and the receiver of a webhook are killed a hundred times each while people write, and so are nodes: in the end
// the copies of both equal what is in Postgres.

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { DeleteMessage, EditMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, openNode } from '../support/node.ts'
import { type Random, withSeed } from '../support/random.ts'
import { until } from '../support/until.ts'
import { Backend, openBackend } from './backend.ts'
import { CreateWebhook } from './documents.ts'
import { Receiver } from './receiver.ts'

const kills = 100
const query = `subscription C($after: Cursor) { changes(consumer: "copy", after: $after) { __typename cursor
  ... on SyncStarted { mode }
  ... on MessageSent { message { id text version deletedAt } }
  ... on MessageEdited { message { id text version deletedAt } }
  ... on MessageDeleted { message { id text version deletedAt } } } }`

type Message = { id: string; text: string; version: number; deletedAt: string | null }
type Change = { __typename: string; cursor: string; mode?: string; message?: Message }

/** A copy of all messages, as a backend keeps one: the newest version of each. */
class Copy {
  readonly messages = new Map<string, Message>()
  /** How often each message came as sent. */
  readonly sent = new Map<string, number>()

  take(type: string, message: Message): void {
    if (type === 'MessageSent') this.sent.set(message.id, (this.sent.get(message.id) ?? 0) + 1)
    if ((this.messages.get(message.id)?.version ?? 0) <= message.version) this.messages.set(message.id, message)
  }

  get lines(): string[] {
    return [...this.messages.values()].map(({ id, text, deletedAt }) => `${id} ${deletedAt ? 'deleted' : text}`).sort()
  }
}

/** People write, change and delete until they are told to stop. */
async function write(people: readonly Device[], group: string, random: Random, isOver: () => boolean): Promise<void> {
  const own: { device: Device; id: string }[] = []
  for (let i = 0; !isOver(); i += 1) {
    const device = people[random.whole(0, people.length - 1)] as Device
    try {
      own.push({ device, id: (await device.send(group, `text ${i}`)).message.id })
      const { device: author, id: messageId } = own[random.whole(0, own.length - 1)] as (typeof own)[number]
      if (random.chance(0.3)) await author.run(EditMessage, { input: { messageId, text: `edited ${i}` } })
      if (random.chance(0.1)) await author.run(DeleteMessage, { input: { messageId } })
    } catch (error) {
      // A node is being replaced, or the message was deleted before.
      if (!/UNAVAILABLE|MESSAGE_DELETED|fetch failed/.test(String(error))) throw error
    }
    await delay(random.whole(0, 10))
  }
}

test(
  'D3 after a hundred deaths each, a consumer of changes and a webhook have the same messages as Postgres',
  { timeout: 600_000 },
  () =>
    withSeed(async (random) => {
      const settings = { PARLEY_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8', PARLEY_WINDOW_FACTS_MAX: '200' }
      const first = await openNode(settings)
      const others = { ...settings, DATABASE_URL: first.databaseUrl }
      const people = await signUpAll(first, 'Ann', 'Ben', 'Cai')
      const [ann] = people as [Device]
      const group = await ann.group('Copied', ...people.slice(1))
      const { token } = await openBackend(first, 'CHANGES', 'WEBHOOKS')
      let node = first

      const [copy, hooked] = [new Copy(), new Copy()]
      let cursor: string | null = null
      const consume = () => {
        const client = new Backend(node, token, 0).socket(undefined)
        const opened = new Promise<void>((resolve) => client.on('connected', () => resolve()))
        client.subscribe<{ changes: Change }>(
          { query, variables: { after: cursor } },
          {
            next: ({ data, errors }) => {
              if (errors || !data) throw new Error(JSON.stringify(errors))
              const { __typename, message, mode } = data.changes
              if (mode) expect(mode).not.toBe('RESET')
              if (message) copy.take(__typename, message)
              cursor = data.changes.cursor
            },
            error: () => undefined,
            complete: () => undefined,
          },
        )
        return { opened, kill: () => client.terminate() }
      }

      const receiver = await Receiver.open()
      const seen = new Set<string>()
      receiver.answer = async ({ id, type, data }) => {
        if (random.chance(0.02)) return 500
        if (!seen.has(id) && data.message) hooked.take(type, data.message as never)
        seen.add(id)
        return 200
      }
      const input = { url: receiver.url, kinds: ['MessageSent', 'MessageEdited', 'MessageDeleted'] }
      const { createWebhook } = await new Backend(node, token, 0).run(CreateWebhook, { input })
      receiver.secret = createWebhook.secret
      const sql = await connect(first.databaseUrl)
      // A minute is a long time for a receiver that is back.
      const hurrying = setInterval(() => void sql.query('update webhook set retry_at = now() where retry_at is not null'), 500)

      // Both begin before the first message.
      const begun = consume()
      await until('the stream', () => cursor !== null)
      begun.kill()
      let isOver = false
      const writing = write(people, group, random, () => isOver)
      for (let i = 0; i < kills; i += 1) {
        const { opened, kill } = consume()
        await opened
        await delay(random.whole(0, 120))
        kill()
        receiver.cut()
        if (i % 20 === 19) {
          const next = await openNode(others)
          const before = node
          node = next
          for (const device of people) device.node = next
          await before.close()
        }
      }
      consume()
      isOver = true
      await writing
      clearInterval(hurrying)
      await sql.query('update webhook set retry_at = now() where retry_at is not null')
      const { rows } = await sql.query<{ line: string }>(
        `select 'msg_' || id || ' ' || case when deleted_at is null then text else 'deleted' end as line from message order by id`,
      )
      const idOf = (line: string) => line.replace(/^msg_(\d+)/, (_, id) => `msg_${Number(id).toString(36).padStart(13, '0')}`)
      const expected = rows.map(({ line }) => idOf(line)).sort()
      expect(expected.length).toBeGreaterThan(100)
      await until('the copy', () => copy.lines.length === expected.length, 30_000)
      expect(copy.lines).toEqual(expected)
      expect(new Set(copy.sent.values())).toEqual(new Set([1]))
      await until('the copy by webhook', () => JSON.stringify(hooked.lines) === JSON.stringify(expected), 60_000).catch(
        () => undefined,
      )
      expect(hooked.lines).toEqual(expected)
      expect(receiver.forged).toEqual([])
    }),
)
