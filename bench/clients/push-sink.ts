// A push service that accepts everything at once, and remembers the first request of each subscription.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expose } from '../kit/parent.ts'

const arrivals = new Map<string, number>()
let taken = 0
const server = createServer((request, response) => {
  const { url = '' } = request
  if (!arrivals.has(url)) arrivals.set(url, Date.now())
  taken += 1
  request.resume()
  request.once('end', () => response.writeHead(201).end())
})
server.keepAliveTimeout = 60_000
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

const api = {
  origin: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  taken: () => taken,
  /** When each path got its first request, in milliseconds since 1970. Forgets them. */
  arrivals() {
    const all = [...arrivals]
    arrivals.clear()
    return all
  },
}
export type PushSinkApi = typeof api

expose(api)
