// What people write in an encrypted conversation is nowhere where an operator could look: not in the files of Postgres, its WAL among
// them, not in a dump, not in what goes over Redis, not in a log, not in a notification. A text in a plain conversation is, so the
// search finds what there is.

import { createCipheriv, randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { at, Parley } from '../process/parley.ts'
import { RegisterPushToken } from '../push/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { SendMessage } from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { openSystemPostgres } from '../support/system-postgres.ts'
import { until } from '../support/until.ts'
import { bytes, commit, encryptedGroup, Followed, register, seal } from './support.ts'

const canary = (name: string) => `${name}-${randomBytes(12).toString('hex')}`

/** What a device makes of a text. */
function encrypt(text: string): string {
  const cipher = createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12))
  return Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** Everything that Redis is told. */
async function monitored(): Promise<{ text(): string }> {
  const redis = new Redis(inject('redisUrl'))
  const monitor = await redis.monitor()
  closeAtEnd(async () => {
    monitor.disconnect()
    redis.disconnect()
  })
  const lines: string[] = []
  monitor.on('monitor', (_time: string, args: readonly string[]) => lines.push(args.join(' ')))
  return { text: () => lines.join('\n') }
}

/** Where notifications go. */
async function openEndpoint(): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString())
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, bodies }
}

/** Which of these texts are in the files of a directory. */
async function foundIn(directory: string, texts: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const content = await readFile(path.join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0))
    for (const text of texts) if (content.includes(text)) found.add(text)
  }
  return texts.filter((text) => found.has(text))
}

test('a canary text is nowhere but on the devices', { timeout: 120_000 }, async () => {
  const postgres = await openSystemPostgres()
  await postgres.query('postgres', 'create database parley')
  const endpoint = await openEndpoint()
  const traffic = await monitored()
  const environment = {
    PORT: '0',
    PARLEY_DATA_DIR: '/dev/null/none',
    PARLEY_LOG_LEVEL: 'trace',
    DATABASE_URL: postgres.url('parley'),
    REDIS_URL: inject('redisUrl'),
    PARLEY_TOKEN_SECRET: 'the token secret of both of the processes',
    PARLEY_PUSH_WEBHOOK_URL: endpoint.url,
    PARLEY_PUSH_WEBHOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
    PARLEY_PUSH_DELAY_MS: '0',
  }
  const nodes = [new Parley(environment, closeAtEnd)]
  const here = at(await (nodes[0] as Parley).ready())
  nodes.push(new Parley(environment, closeAtEnd))
  const there = at(await (nodes[1] as Parley).ready())
  // Carol is away.
  const [alice, bob, carol] = (await signUpAll(here, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
  bob.node = there
  for (const device of [alice, bob]) await register(device)
  const group = await encryptedGroup(alice, bob, carol)
  await commit(alice, group, 0)
  const followed = await Followed.open(bob)
  await carol.run(RegisterPushToken, { input: { platform: 'apns', token: 'the phone' } })

  const [plain, secret, refused] = [canary('plain'), canary('secret'), canary('refused')]
  const ciphertext = encrypt(secret)
  await seal(alice, group, 1, { ciphertext, mentionedUserIds: [bob.userId] })
  // A client with a fault sends a text: the server forgets it.
  const wrong = { conversationId: group, clientMessageId: randomUUID() }
  const texts = [
    { text: refused },
    { text: refused, ciphertext: bytes(), epoch: 1 },
    { ciphertext: bytes(), epoch: 1, data: refused },
  ]
  for (const more of texts) {
    expect((await alice.refused(SendMessage, { input: { ...wrong, ...more } })).extensions.code).toBe('ENCRYPTION_REQUIRED')
  }
  await alice.send(await alice.group('Plain', bob, carol), plain)
  await followed.wait('MessageSent', 2)
  await until('both notifications', () => endpoint.bodies.length >= 2, 30_000)

  const all = [plain, secret, refused]
  await postgres.query('parley', 'checkpoint')
  expect(await foundIn(postgres.directory, all)).toEqual([plain])
  const { stdout: dump } = await postgres.run('pg_dump', ['-U', 'super', 'parley'])
  const places = { dump, traffic: traffic.text(), notifications: endpoint.bodies.join('\n') }
  for (const [place, text] of Object.entries(places)) {
    expect(
      all.filter((each) => text.includes(each)),
      place,
    ).toEqual([plain])
  }
  const logs = nodes.map(({ stdout, stderr }) => stdout + stderr).join('\n')
  expect(logs.length).toBeGreaterThan(1_000)
  expect([...all, ciphertext].filter((each) => logs.includes(each))).toEqual([])
  expect(endpoint.bodies.some((body) => body.includes(ciphertext))).toBe(false)
})
