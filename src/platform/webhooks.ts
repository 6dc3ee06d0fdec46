// Webhooks as rows: the address of a backend, the events that it wants, and up to where it has them.

import { randomUUID } from 'node:crypto'
import type { WebhookId } from '../id.ts'
import type { Cursor } from '../journal/cursor.ts'
import type { Place } from '../journal/fact.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { ServerKey } from '../viewer.ts'
import type { CursorColumns } from './stored-cursor.ts'

/** The most webhooks of an installation. */
export const webhooksMax = 100

/** A webhook. */
export type WebhookRow = CursorColumns & {
  readonly id: WebhookId
  readonly tenant: string | null
  readonly url: string
  /** The types of events that it wants; empty for all. */
  readonly kinds: readonly string[]
  readonly createdAt: Date
  /** How many attempts have failed since the last that did not. */
  readonly failures: number
  readonly failingSince: Date | null
  readonly lastError: string | null
  readonly retryAt: Date | null
  readonly pausedAt: Date | null
}

/** A webhook with its secret, for the node that sends. `hold` is new each time that a node gets hold of it. */
export type HeldWebhook = WebhookRow & { readonly secret: Buffer; readonly hold: string }

const columns = `id, tenant, url, kinds, epoch_key as "epochKey", position, tag, created_at as "createdAt", failures,
  failing_since as "failingSince", last_error as "lastError", retry_at as "retryAt", paused_at as "pausedAt"`
/** A key for one tenant sees its webhooks alone. */
const ofKey = '($1::text is null or tenant = $1)'
const all = statement<WebhookRow>('webhooks', `select ${columns} from webhook where ${ofKey} order by id limit ${webhooksMax}`)
const one = statement<WebhookRow>('webhook', `select ${columns} from webhook where ${ofKey} and id = $2`)
const make = statement<WebhookRow>(
  'webhook_make',
  `insert into webhook(tenant, url, secret, kinds, epoch_key, position, tag) select $1, $2, $3, $4, $5, $6, $7
    where (select count(*) from webhook) < ${webhooksMax} returning ${columns}`,
)
const change = statement<WebhookRow>(
  'webhook_change',
  `update webhook set url = coalesce($3, url), kinds = coalesce($4, kinds), failures = 0, failing_since = null, retry_at = null,
          paused_at = case when $5::boolean is null then paused_at when $5 then coalesce(paused_at, now()) end,
          worker = null, held_until = null
    where ${ofKey} and id = $2 returning ${columns}`,
)
const remove = statement<{ id: WebhookId }>('webhook_remove', `delete from webhook where ${ofKey} and id = $2 returning id`)
const replay = statement<WebhookRow>(
  'webhook_replay',
  `update webhook set epoch_key = $3, position = $4, tag = $5, failures = 0, failing_since = null, last_error = null, retry_at = null,
          paused_at = null, worker = null, held_until = null
    where ${ofKey} and id = $2 returning ${columns}`,
)
/** How long a node may send without renewing its hold. */
export const holdMs = 15_000
const hold = statement<HeldWebhook>(
  'webhook_hold',
  `update webhook set worker = $1, held_until = now() + make_interval(secs => ${holdMs / 1_000})
    where paused_at is null and (retry_at is null or retry_at <= now()) and (held_until is null or held_until < now())
    returning ${columns}, secret, worker as hold`,
)
const isHeld = 'id = $1 and worker = $2 and held_until > now()'
const taken = statement<{ id: WebhookId }>(
  'webhook_taken',
  `update webhook set position = $3, tag = $4, epoch_key = $5, failures = 0, failing_since = null, last_error = null, retry_at = null,
          held_until = now() + make_interval(secs => ${holdMs / 1_000})
    where ${isHeld} and paused_at is null returning id`,
)
const renewed = statement<{ id: WebhookId }>(
  'webhook_renewed',
  `update webhook set held_until = now() + make_interval(secs => ${holdMs / 1_000}) where ${isHeld} and paused_at is null returning id`,
)
const failed = statement<{ id: WebhookId }>(
  'webhook_failed',
  `update webhook set failures = failures + 1, failing_since = coalesce(failing_since, now()), last_error = $3, retry_at = $4,
          paused_at = case when failing_since < now() - interval '3 days' then now() end, worker = null, held_until = null
    where ${isHeld} returning id`,
)
const letGo = statement('webhook_let_go', `update webhook set worker = null, held_until = null where id = $1 and worker = $2`)

/** The webhooks that a key may see, the oldest first. */
export const readWebhooks = ({ tenant }: ServerKey, reader: Reader) => reader.rows(all, [tenant])

/** One of them; null if there is none. */
export async function findWebhook({ tenant }: ServerKey, id: WebhookId, reader: Reader): Promise<WebhookRow | null> {
  const [found] = await reader.rows(one, [tenant, id])
  return found ?? null
}

/** Makes a webhook. @returns null if there are too many */
export async function makeWebhook(
  { tenant }: ServerKey,
  { url, secret, kinds, from }: { url: string; secret: Buffer; kinds: readonly string[]; from: Cursor },
  reader: Reader,
): Promise<WebhookRow | null> {
  const [made] = await reader.rows(make, [tenant, url, secret, kinds, String(from.epochKey), from.position, from.tag])
  return made ?? null
}

/** Changes a webhook; what is null stays. @returns null if there is none */
export async function changeWebhook(
  { tenant }: ServerKey,
  id: WebhookId,
  { url, kinds, isPaused }: { url: string | null; kinds: readonly string[] | null; isPaused: boolean | null },
  reader: Reader,
): Promise<WebhookRow | null> {
  const [changed] = await reader.rows(change, [tenant, id, url, kinds, isPaused])
  return changed ?? null
}

/** Removes a webhook. @returns whether there was one */
export async function removeWebhook({ tenant }: ServerKey, id: WebhookId, reader: Reader): Promise<boolean> {
  return (await reader.rows(remove, [tenant, id])).length > 0
}

/** Sends what comes after a cursor again. @returns null if there is no such webhook */
export async function replayFrom(
  { tenant }: ServerKey,
  id: WebhookId,
  { epochKey, position, tag }: Cursor,
  reader: Reader,
): Promise<WebhookRow | null> {
  const [moved] = await reader.rows(replay, [tenant, id, String(epochKey), position, tag])
  return moved ?? null
}

/** Takes hold of the webhooks that no node sends to. */
export const holdWebhooks = (reader: Reader) => reader.rows(hold, [randomUUID()])

type Hold = Pick<HeldWebhook, 'id' | 'hold'>

/** Stores the place of a webhook that this node holds, and keeps hold of it. @returns whether it still holds it */
export async function moveTo({ id, hold: held }: Hold, place: Place, epochKey: string, reader: Reader): Promise<boolean> {
  return (await reader.rows(taken, [id, held, place.position, place.tag, epochKey])).length > 0
}

/** Keeps hold of a webhook. @returns whether this node still holds it */
export const renewHold = async ({ id, hold: held }: Hold, reader: Reader): Promise<boolean> =>
  (await reader.rows(renewed, [id, held])).length > 0

/** Notes a failure and lets go. A webhook is paused after three days of failures. */
export async function noteFailure({ id, hold: held }: Hold, error: string, retryAt: Date, reader: Reader): Promise<void> {
  await reader.rows(failed, [id, held, error, retryAt])
}

/** Lets another node send. */
export async function letGoOf({ id, hold: held }: Hold, reader: Reader): Promise<void> {
  await reader.rows(letGo, [id, held])
}
