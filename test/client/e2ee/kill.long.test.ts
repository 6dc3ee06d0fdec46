// kill -9 of an app's process, while it sends and receives.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { decodeGroupState, decodeMlsMessage } from 'ts-mls'
import { decryptSenderData } from 'ts-mls/privateMessage.js'
import { expect, test } from 'vitest'
import { suite } from '../../../client/src/e2ee/suite.ts'
import { signUpAll } from '../../support/device.ts'
import { closeAtEnd, openNode } from '../../support/node.ts'
import { fileOf } from '../../support/programs.ts'
import { until } from '../../support/until.ts'
import type { AppArguments, AppReport } from './app-process.ts'
import { agreed, EncryptedApp } from './apps.ts'
import { openKept } from './kept-files.ts'

/** The app is killed at each of its first changes of its files; a send makes about five, each in another round. */
const rounds = 6
const textsInRound = 3

/** A running process of the app. */
class AppProcess {
  readonly child: ChildProcess
  readonly reports: AppReport[] = []

  /** @param killAt the change of its files, from when it is live, at which the process is killed; null: never */
  constructor(given: AppArguments, killAt: number | null) {
    const child = spawn(process.execPath, [fileOf('encrypted-app'), JSON.stringify(given)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.child = child
    let changes = 0
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report = JSON.parse(line) as AppReport
      this.reports.push(report)
      if (report.kind === 'written' && this.has('live')) changes += 1
      if (killAt !== null && (changes === killAt || this.has('done'))) child.kill('SIGKILL')
    })
    closeAtEnd(() => this.kill())
  }

  has(kind: AppReport['kind']): boolean {
    return this.reports.some((report) => report.kind === kind)
  }

  get ciphertexts(): readonly string[] {
    return this.reports.flatMap((report) => (report.kind === 'sends' ? [report.ciphertext] : []))
  }

  get queued(): readonly string[] {
    return this.reports.flatMap((report) => (report.kind === 'queued' ? [report.text] : []))
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await this.ended()
  }

  async ended(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
  }
}

/** Which key a ciphertext was made with: its epoch, the sender's leaf and the generation of the sender's ratchet. */
async function keyOf(ciphertext: string, state: Uint8Array): Promise<string> {
  const [message] = decodeMlsMessage(new Uint8Array(Buffer.from(ciphertext, 'base64')), 0) ?? []
  const [group] = decodeGroupState(state, 0) ?? []
  if (message?.wireformat !== 'mls_private_message' || !group) throw new Error('not an encrypted message')
  const data = await decryptSenderData(message.privateMessage, group.keySchedule.senderDataSecret, await suite())
  return `${message.privateMessage.epoch} ${data?.leafIndex} ${data?.generation}`
}

test('an app that is killed at any of its writes reads all that it missed, uses no key twice, and sends once', async () => {
  const node = await openNode()
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('not signed up')
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-killed-app-'))
  closeAtEnd(() => rm(directory, { recursive: true, force: true }))
  const first = await EncryptedApp.open(alice, await openKept(directory))
  const b = await EncryptedApp.open(bob)
  const id = await first.group(bob)
  const epoch = await agreed(id, [first, b], 2)
  await first.close()
  const given = { url: node.url, accessToken: alice.accessToken, directory, conversationId: id }
  const [queued, tried]: [string[], Set<string>] = [[], new Set()]
  const missed: string[] = []
  const ciphertexts = new Set<string>()
  for (let round = 1; round <= rounds; round += 1) {
    const texts = Array.from({ length: textsInRound }, (_, i) => `round ${round}, text ${i + 1}`)
    for (const text of texts) tried.add(text)
    const app = new AppProcess({ ...given, texts }, round)
    await app.ended()
    queued.push(...app.queued)
    for (const ciphertext of app.ciphertexts) ciphertexts.add(ciphertext)
    missed.push(`missed ${round}`)
    await b.say(id, `missed ${round}`)
  }
  const last = new AppProcess({ ...given, texts: ['the last'] }, null)
  queued.push('the last')
  tried.add('the last')
  await b.hears(id, 'the last')
  const read = async () => (await (await openKept(directory)).storage.entries('contents')).map(([, { content }]) => content)
  const textsRead = async () => (await read()).flatMap((content) => (content.type === 'text' ? [content.text] : []))
  await until('the app to read what it missed', async () => (await textsRead()).includes('the last'))
  await last.kill()
  for (const ciphertext of last.ciphertexts) ciphertexts.add(ciphertext)
  const heard = b.texts(id)
  // What the app was told to be in the outbox is there once, and nothing is there twice or unreadable.
  expect(new Set(heard).size).toBe(heard.length)
  for (const text of queued) expect(heard).toContain(text)
  for (const text of heard) expect([...tried, ...missed]).toContain(text)
  expect((await textsRead()).sort()).toEqual([...heard].sort())
  expect((await read()).filter(({ type }) => type !== 'text')).toEqual([])
  // One epoch, so that the keys can be compared: nobody has committed.
  expect(await agreed(id, [b], 2)).toBe(epoch)
  const group = await b.kept.storage.get('groups', id)
  const keys = await Promise.all([...ciphertexts].map((ciphertext) => keyOf(ciphertext, group?.state ?? new Uint8Array())))
  expect(keys.length).toBeGreaterThan(rounds)
  expect(new Set(keys).size).toBe(keys.length)
})
