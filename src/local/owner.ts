// Lets one Parley at a time use a data directory. The owner writes a random word and a loopback port into a file, and answers on
// that port with the word while it is alive. So a directory is free as soon as its owner was killed: no lock has to go stale,
// and a new process with the same id is not taken for the owner.

import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import path from 'node:path'
import { z } from 'zod'
import { StartError } from '../errors.ts'

const ownerForm = z.object({ port: z.number(), word: z.string(), pid: z.number() })
const answerMs = 1_000

/**
 * Takes a data directory. If several processes try at the same moment, one of them gets it.
 * @returns a function to release it
 * @throws StartError if another process has it
 */
export async function takeDirectory(directory: string): Promise<() => Promise<void>> {
  const file = path.join(directory, 'owner.json')
  const word = randomBytes(16).toString('hex')
  const draft = `${file}.${word}`
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(word)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  server.unref()
  try {
    const { port } = server.address() as AddressInfo
    await writeFile(draft, JSON.stringify({ port, word, pid: process.pid }), { mode: 0o600 })
    while (!(await isDone(link(draft, file), 'EEXIST'))) await dislodge(file, `${draft}.old`, directory)
  } catch (error) {
    server.close()
    throw error
  } finally {
    await rm(draft, { force: true })
  }
  return async () => {
    await rm(file, { force: true })
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Removes the file of a dead owner. If a new owner's file was removed instead, because it came in between, puts it back. */
async function dislodge(file: string, aside: string, directory: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const owner = ownerForm.safeParse(safeJson(text)).data
  if (owner && (await answers(owner.port, owner.word))) {
    throw new StartError(
      `PARLEY_DATA_DIR: ${directory} is in use by another Parley (process ${owner.pid}): stop it, or choose another directory`,
    )
  }
  if (!(await isDone(rename(file, aside), 'ENOENT'))) return
  if ((await readFile(aside, 'utf8')) !== text) await isDone(link(aside, file), 'EEXIST')
  await rm(aside, { force: true })
}

/** Whether a change of files succeeded; false if it failed with the code `unless`. */
async function isDone(change: Promise<void>, unless: string): Promise<boolean> {
  return change.then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== unless) throw error
      return false
    },
  )
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
    let received = ''
    const socket = connect({ port, host: '127.0.0.1', timeout: answerMs })
    const end = () => {
      socket.destroy()
      resolve(received === word)
    }
    socket.on('data', (chunk) => {
      received += String(chunk)
    })
    socket.once('end', end).once('error', end).once('timeout', end)
  })
}
