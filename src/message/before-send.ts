// The hook of the operator that is asked before a message is stored: it allows it, refuses it, or changes its text and custom data.
// Questions that wait together go in one request. Without a hook, nothing of this is on the path of a send.

import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { BeforeSendSettings } from '../config/config.ts'
import { ParleyError } from '../errors.ts'
import { customData } from '../graphql/custom-data.ts'
import { note, prose } from '../graphql/input.ts'
import { type AttachmentId, type ConversationId, encodeId, type MessageId, type UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { readText } from '../response-text.ts'
import { type Reader, statement } from '../store/reader.ts'
import { signWebhook } from '../webhook-signature.ts'

declare module '../parts.ts' {
  interface App {
    /** Null without a hook. */
    readonly beforeSend: BeforeSend | null
  }
}

/** What the hook is asked about: a message to send, or what an edit makes of one. */
export type Question = {
  readonly kind: 'SEND' | 'EDIT'
  readonly senderId: UserId
  readonly conversationId: ConversationId
  /** Of an edit. */
  readonly messageId: MessageId | null
  readonly clientMessageId: string
  readonly text: string
  /** Custom data as JSON text. */
  readonly data: string | null
  readonly replyToId: MessageId | null
  readonly mentionedUserIds: readonly UserId[]
  readonly attachmentIds: readonly AttachmentId[]
}

/** What is to be stored. */
export type MessageContent = { readonly text: string; readonly data: string | null }

/** The hook of a node. */
export type BeforeSend = {
  /**
   * Asks the hook.
   * @returns what is to be stored
   * @throws ParleyError MESSAGE_REFUSED with the reason of the hook; UNAVAILABLE if it does not answer, unless sends then pass
   */
  ask(question: Question): Promise<MessageContent>
}

/** The most questions of one request, requests at once, and questions that wait. */
const [batchMax, requestsMax, waitingMax] = [50, 8, 1_000]
const answerBytesMax = 1_048_576
const reasonMax = 500

const verdict = z.discriminatedUnion('action', [
  z.object({ action: z.literal('ALLOW') }),
  z.object({ action: z.literal('REFUSE'), reason: z.string().trim().min(1).max(reasonMax) }),
  z.object({ action: z.literal('CHANGE'), text: z.string().optional(), data: customData }),
])
type Verdict = z.output<typeof verdict>

const known = statement<{ kind: 'user' | 'conversation'; id: number; externalId: string }>(
  'hook_external_ids',
  `select 'user' as kind, id, subject as "externalId" from "user" where id = any($1::bigint[]) and subject is not null
   union all
   select 'conversation', id, external_id from conversation where id = any($2::bigint[]) and external_id is not null`,
)

type Waiting = { readonly question: Question; resolve(content: MessageContent): void; reject(error: unknown): void }

/**
 * Opens the hook.
 * @param textMax the longest text of a message, in characters
 */
export function openBeforeSend(
  settings: BeforeSendSettings,
  textMax: number,
  { log, repeats, store }: Pick<App, 'log' | 'repeats' | 'store'>,
): BeforeSend {
  const waiting: Waiting[] = []
  let requests = 0
  const pump = () => {
    while (waiting.length > 0 && requests < requestsMax) {
      requests += 1
      void send(waiting.splice(0, batchMax)).finally(() => {
        requests -= 1
        pump()
      })
    }
  }
  async function send(batch: readonly Waiting[]): Promise<void> {
    try {
      const verdicts = await request(settings, await describe(batch, store.reader))
      if (verdicts.length !== batch.length) throw new Error('it did not answer each question')
      for (const [i, each] of batch.entries()) settle(each, verdicts[i] as Verdict)
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error)
      const effect = settings.failsOpen ? 'messages pass' : 'no message is sent'
      repeats.note('warn', 'before-send', { cause }, `the hook before sending does not answer as it should: ${effect}`)
      log.debug({ err: error }, 'a request to the hook before sending failed')
      for (const each of batch) fail(each)
    }
  }
  function fail({ question, resolve, reject }: Waiting): void {
    if (settings.failsOpen) resolve(question)
    else
      reject(new ParleyError('UNAVAILABLE', 'The message cannot be checked at the moment. Try again.', { retryAfterMs: 1_000 }))
  }
  function settle(each: Waiting, given: Verdict): void {
    const { question, resolve, reject } = each
    if (given.action === 'ALLOW') {
      resolve(question)
      return
    }
    if (given.action === 'REFUSE') {
      reject(new ParleyError('MESSAGE_REFUSED', given.reason))
      return
    }
    const { text = question.text, data = question.data } = given
    const form = question.attachmentIds.length > 0 ? note(textMax) : prose(textMax)
    if (form.safeParse(text).success) {
      resolve({ text, data })
      return
    }
    repeats.note('warn', 'before-send text', {}, 'the hook before sending gave a text that cannot be stored')
    fail(each)
  }
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        const each = { question, resolve, reject }
        if (waiting.length >= waitingMax) return fail(each)
        waiting.push(each)
        // Those that come in the same turn go together.
        if (waiting.length === 1) setImmediate(pump)
      }),
  }
}

/** The questions as the hook reads them. */
async function describe(batch: readonly Waiting[], reader: Reader): Promise<unknown> {
  const questions = batch.map(({ question }) => question)
  const rows = await reader.rows(known, [questions.map((q) => q.senderId), questions.map((q) => q.conversationId)])
  const externalIds = new Map(rows.map(({ kind, id, externalId }) => [`${kind} ${id}`, externalId]))
  return {
    type: 'beforeSend',
    messages: questions.map((q) => ({
      kind: q.kind,
      sender: { id: encodeId('User', q.senderId), externalId: externalIds.get(`user ${q.senderId}`) ?? null },
      conversation: {
        id: encodeId('Conversation', q.conversationId),
        externalId: externalIds.get(`conversation ${q.conversationId}`) ?? null,
      },
      id: q.messageId === null ? null : encodeId('Message', q.messageId),
      clientMessageId: q.clientMessageId,
      text: q.text,
      data: q.data === null ? null : (JSON.parse(q.data) as unknown),
      replyToId: q.replyToId === null ? null : encodeId('Message', q.replyToId),
      mentionedUserIds: q.mentionedUserIds.map((id) => encodeId('User', id)),
      attachmentIds: q.attachmentIds.map((id) => encodeId('Attachment', id)),
    })),
  }
}

async function request({ url, secret, timeoutMs }: BeforeSendSettings, asked: unknown): Promise<Verdict[]> {
  const body = Buffer.from(JSON.stringify(asked))
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...signWebhook(`ask_${randomUUID()}`, body, secret) },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) throw new Error(`it answered ${response.status}`)
  const parsed = z.object({ verdicts: z.array(verdict) }).safeParse(JSON.parse(await readText(response, answerBytesMax)))
  if (!parsed.success) throw new Error(`its answer has another form: ${parsed.error.issues[0]?.path.join('.')}`)
  return parsed.data.verdicts
}
