// Readers: HTTP requests over kept connections, a fixed number at a time.

import { Agent, request } from 'node:http'
import { expose } from '../kit/parent.ts'
import { quantile } from '../kit/stats.ts'

/** A request. */
export type Request = { readonly url: string; readonly headers: Record<string, string>; readonly body: string }
/** The result: the times of the answers in milliseconds, and the size of one. */
export type Read = { readonly ms: number; readonly p50: number; readonly p99: number; readonly bytes: number }

const agent = new Agent({ keepAlive: true })

function send({ url, headers, body }: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
      (response) => {
        let bytes = 0
        let start = ''
        response.on('data', (chunk: Buffer) => {
          if (bytes === 0) start = chunk.toString('latin1', 0, 20)
          bytes += chunk.length
        })
        response.once('error', reject)
        response.once('end', () => {
          if (response.statusCode === 200 && !start.startsWith('{"errors"')) resolve(bytes)
          else reject(new Error(`${url} answered ${response.statusCode} ${start}`))
        })
      },
    )
    sent.once('error', reject)
    sent.end(body)
  })
}

const api = {
  /** Sends a number of requests, the given ones in turn. */
  async read(requests: readonly Request[], count: number, underWay: number): Promise<Read> {
    const begun = performance.now()
    const times: number[] = []
    let [next, bytes] = [0, 0]
    const one = async () => {
      for (let index = next++; index < count; index = next++) {
        const at = performance.now()
        const got = await send(requests[index % requests.length] as Request)
        bytes += got
        times.push(performance.now() - at)
      }
    }
    await Promise.all(Array.from({ length: underWay }, one))
    return { ms: performance.now() - begun, p50: quantile(times, 0.5), p99: quantile(times, 0.99), bytes: bytes / count }
  },
}
export type Readers = typeof api

expose(api)
