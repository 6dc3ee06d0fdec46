// Uploads and downloads files, many at once, and throws the bytes away.

import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expose } from '../kit/parent.ts'

const chunk = Buffer.alloc(65_536, 7)

/** Sends so many bytes; resolves when they are answered. */
function put(url: string, byteSize: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'PUT', headers: { 'content-length': byteSize } }, (response) => {
      response.resume()
      response.once('end', () =>
        (response.statusCode ?? 500) < 300 ? resolve() : reject(new Error(`an upload was answered with ${response.statusCode}`)),
      )
    })
    sent.once('error', reject)
    let left = byteSize
    const write = () => {
      while (left > 0) {
        const part = left < chunk.length ? chunk.subarray(0, left) : chunk
        left -= part.length
        if (!sent.write(part)) {
          sent.once('drain', write)
          return
        }
      }
      sent.end()
    }
    write()
  })
}

/** Sends the content of a file. */
async function putFile(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(url, { method: 'PUT', body: bytes })
  if (!response.ok) throw new Error(`an upload was answered with ${response.status}`)
}

/** Loads a file; resolves with its size. */
function get(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, (response) => {
      let size = 0
      response.on('data', (part: Buffer) => {
        size += part.length
      })
      response.once('end', () =>
        response.statusCode === 200 ? resolve(size) : reject(new Error(`a download was answered with ${response.statusCode}`)),
      )
      response.once('error', reject)
    })
    asked.once('error', reject)
    asked.end()
  })
}

/** Milliseconds for all of them, at most `atOnce` at a time. */
async function timed(urls: readonly string[], atOnce: number, act: (url: string) => Promise<unknown>): Promise<number> {
  const waiting = [...urls]
  const begun = performance.now()
  const work = async () => {
    for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) await act(url)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return performance.now() - begun
}

const api = {
  upload: (urls: readonly string[], byteSize: number, atOnce: number) => timed(urls, atOnce, (url) => put(url, byteSize)),
  /** Sends a file to these URLs, one every so many milliseconds. */
  async uploadEvery(urls: readonly string[], file: string, everyMs: number): Promise<void> {
    const bytes = new Uint8Array(await readFile(file))
    const begun = performance.now()
    const sent: Promise<void>[] = []
    for (const [i, url] of urls.entries()) {
      await delay(Math.max(0, begun + i * everyMs - performance.now()))
      sent.push(putFile(url, bytes))
    }
    await Promise.all(sent)
  },
  download: (urls: readonly string[], byteSize: number, atOnce: number) =>
    timed(urls, atOnce, async (url) => {
      const size = await get(url)
      if (size !== byteSize) throw new Error(`a download had ${size} bytes`)
    }),
}

/** What it answers. */
export type FilesApi = typeof api

expose(api)
