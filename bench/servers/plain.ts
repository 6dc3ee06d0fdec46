// The floor for reading: the statements that Parley ran for a request, run by `pg`, with their rows through JSON.stringify.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { expose, settings } from '../kit/parent.ts'
import type { Recorded } from './parley.ts'

const int8 = 20
const { databaseUrl } = settings<{ databaseUrl: string }>()
pg.types.setTypeParser(int8, Number)
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
let requests: readonly (readonly Recorded[])[] = []

async function answer(index: number): Promise<string> {
  const results: unknown[] = []
  for (const { values, ...statement } of requests[index] ?? []) {
    results.push((await pool.query({ ...statement, values: [...values] })).rows)
  }
  return JSON.stringify({ data: results })
}

const http = createServer((request, response) => {
  request.resume()
  answer(Number(request.url?.slice(1))).then(
    (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(body),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})

const api = {
  port: () => (http.address() as AddressInfo).port,
  /** What to run for each request: /0, /1, … */
  load(given: readonly (readonly Recorded[])[]) {
    requests = given
  },
}
export type PlainServer = typeof api

http.listen(0, '127.0.0.1', () => expose(api))
