// Calls the API of a running server with a server key, for commands.

import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { FailedResult } from './command.ts'

/** The server refuses what was asked for: asking again does not help. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

/** What commands ask a server for. Each waits while the server is away. @throws Refused; FailedResult if it is away for too long */
export type BackendClient = {
  upsertUsers(users: readonly object[]): Promise<void>
  /** @returns the id of the conversation */
  importConversation(input: object): Promise<string>
  importMessages(input: object): Promise<z.output<typeof imported>>
  completeImport(input: object): Promise<void>
}

const requestMs = 30_000
const [attemptsMax, pauseMs] = [120, 1_000] as const
/** Codes after which the same request may succeed. */
const retryable = new Set(['UNAVAILABLE', 'RATE_LIMITED'])

const answer = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(
      z.object({
        message: z.string(),
        extensions: z
          .object({ code: z.string(), argument: z.string().optional(), retryAfterMs: z.number().optional() })
          .partial()
          .optional(),
      }),
    )
    .optional(),
})
const refused = z.object({ externalId: z.string(), reason: z.string() })
const imported = z.object({ stored: z.int(), repeated: z.int(), refused: z.array(refused) })

/** @param key a server key */
export function openBackend(url: string, key: string): BackendClient {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  async function mutate(field: string, selection: string, input: object): Promise<unknown> {
    const query = `mutation($input: ${field[0]?.toUpperCase()}${field.slice(1)}Input!) { ${field}(input: $input) { ${selection} } }`
    const body = JSON.stringify({ query, variables: { input } })
    let told = 'the server does not answer'
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      let waitMs: number = pauseMs
      try {
        const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(requestMs) })
        if (response.status === 413) throw new Refused('the request is too long')
        const { data, errors } = answer.parse(await response.json())
        const [error] = errors ?? []
        if (!error) return data?.[field]
        const { code = '', argument, retryAfterMs } = error.extensions ?? {}
        told = argument === undefined ? `${code} ${error.message}` : `${code} ${argument}: ${error.message}`
        if (!retryable.has(code)) throw new Refused(told)
        waitMs = retryAfterMs ?? pauseMs
      } catch (error) {
        if (error instanceof Refused) throw error
        told = `the server does not answer as it should: ${(error as Error).message}`
      }
      await delay(waitMs)
    }
    throw new FailedResult(told)
  }
  return {
    async upsertUsers(users) {
      await mutate('upsertUsers', 'users { id }', { users })
    },
    async importConversation(input) {
      const form = z.object({ conversation: z.object({ id: z.string() }) })
      return form.parse(await mutate('importConversation', 'conversation { id }', input)).conversation.id
    },
    async importMessages(input) {
      return imported.parse(await mutate('importMessages', 'stored repeated refused { externalId reason }', input))
    },
    async completeImport(input) {
      await mutate('completeImport', 'cursor', input)
    },
  }
}
