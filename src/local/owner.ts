// One Parley at a time in a data directory. The owner listens on a loopback port that it writes down beside a random word;
// whoever answers with that word is alive. So a directory whose owner was killed is free at once, without waiting for a
// lock to go stale and without mistaking another process that got its number.

import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import path from 'node:path'
import { z } from 'zod'
import { StartError } from '../errors.ts'

const ownerForm = z.object({ port: z.number(), word: z.string(), pid: z.number() })
const answerMs = 1_000

/**
 * Takes a data directory.
 * @returns gives it back
 * @throws StartError where another process has it
 */
export async function takeDirectory(directory: string): Promise<() => Promise<void>> {
  const file = path.join(directory, 'owner.json')
  const owner = await readFile(file, 'utf8').then(
    (text) => ownerForm.safeParse(safeJson(text)).data,
    () => undefined,
  )
  if (owner && (await answers(owner.port, owner.word))) {
    throw new StartError(
      `PARLEY_DATA_DIR: ${directory} is in use by another Parley (process ${owner.pid}): stop it, or choose another directory`,
    )
  }
  const word = randomBytes(16).toString('hex')
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(word)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  server.unref()
  await writeFile(file, JSON.stringify({ port: (server.address() as AddressInfo).port, word, pid: process.pid }), { mode: 0o600 })
  return async () => {
    await rm(file, { force: true })
    await new Promise((resolve) => server.close(resolve))
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function answers(port: number, word: string): Promise<boolean> {
  return new Promise((resolve) => {
    let heard = ''
    const socket = connect({ port, host: '127.0.0.1', timeout: answerMs })
    const end = () => {
      socket.destroy()
      resolve(heard === word)
    }
    socket.on('data', (chunk) => {
      heard += String(chunk)
    })
    socket.once('end', end).once('error', end).once('timeout', end)
  })
}
