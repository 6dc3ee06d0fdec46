// An app with encryption as a process, for a test that kills it: it keeps its state in files, sends the texts that it is given, and
// tells on its standard output what it does, one line of JSON each.

import { writeSync } from 'node:fs'
import { print } from 'graphql'
import WebSocket from 'ws'
import { createParleyClient } from '../../../client/src/client.ts'
import { openEncryption } from '../../../client/src/e2ee.ts'
import { openKept } from './kept-files.ts'

/** What the app is given, as its one argument. */
export type AppArguments = {
  readonly url: string
  readonly accessToken: string
  readonly directory: string
  readonly conversationId: string
  readonly texts: readonly string[]
}

/** What it tells. `written`: a change of its files; `sends`: a ciphertext that is about to leave. */
export type AppReport =
  | { readonly kind: 'live' | 'written' | 'done' }
  | { readonly kind: 'queued'; readonly text: string }
  | { readonly kind: 'sends'; readonly ciphertext: string }

// At once, and not when the process comes to it: it may be killed at any moment.
const tell = (report: AppReport) => void writeSync(1, `${JSON.stringify(report)}\n`)

const ciphertextIn = (body: unknown) => (typeof body === 'string' ? /"ciphertext":"([^"]+)"/.exec(body)?.[1] : undefined)

async function main({ url, accessToken, directory, conversationId, texts }: AppArguments): Promise<void> {
  const kept = await openKept(directory, () => tell({ kind: 'written' }))
  const client = createParleyClient({
    url,
    session: () => accessToken,
    webSocketImpl: WebSocket as never,
    print,
    outbox: kept.outbox,
    fetch: (to, init) => {
      const ciphertext = ciphertextIn(init?.body)
      if (ciphertext !== undefined) tell({ kind: 'sends', ciphertext })
      return fetch(to, init)
    },
  })
  const encryption = await openEncryption(client, kept.storage, { deviceName: 'A process', jitterMs: 100 })
  tell({ kind: 'live' })
  const sends = []
  for (const text of texts) {
    const { clientMessageId } = await encryption.send({ conversationId, text })
    tell({ kind: 'queued', text })
    sends.push(client.outbox.settled(clientMessageId))
  }
  await Promise.all(sends)
  tell({ kind: 'done' })
}

await main(JSON.parse(process.argv[2] ?? '{}') as AppArguments)
