// A receiver of webhooks, as a test plays it: it checks the signatures, and takes what it is told to take.

import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'

/** A request that came. */
export type Received = {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Record<string, unknown> & { message?: { text: string }; conversation?: { id: string } }
}

/** A receiver. */
export class Receiver {
  /** What came, at each attempt, and what was taken. */
  readonly came: Received[] = []
  readonly taken: Received[] = []
  readonly forged: string[] = []
  /** Cuts all connections, as if the process had died: what is under way is not answered. */
  cut: () => void = () => undefined
  /** Answers with this status; 200 takes the event. */
  answer: (event: Received) => number | Promise<number> = () => 200
  secret = ''
  url = ''

  static async open(): Promise<Receiver> {
    const receiver = new Receiver()
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks)
        const header = (name: string) => String(request.headers[name] ?? '')
        const [id, timestamp] = [header('webhook-id'), header('webhook-timestamp')]
        const event = { id, ...JSON.parse(String(body)) } as Received
        const key = Buffer.from(receiver.secret.replace('whsec_', ''), 'base64')
        const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')
        if (receiver.secret !== '' && header('webhook-signature') !== `v1,${signature}`) receiver.forged.push(id)
        receiver.came.push(event)
        void Promise.resolve(receiver.answer(event)).then((status) => {
          if (status === 200) receiver.taken.push(event)
          response.writeHead(status).end()
        })
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closeAtEnd(async () => {
      server.closeAllConnections()
      server.close()
    })
    receiver.cut = () => server.closeAllConnections()
    receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
    return receiver
  }

  get texts(): string[] {
    return this.taken.flatMap(({ data }) => (data.message ? [data.message.text] : []))
  }

  text(text: string): Promise<void> {
    return until(`"${text}"`, () => this.texts.includes(text), 30_000)
  }
}
