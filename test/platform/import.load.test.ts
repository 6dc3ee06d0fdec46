// How fast an import is: `npx vitest run test/platform/import.load.test.ts`.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { importFile } from '../../src/commands/import.ts'
import { openNode } from '../support/node.ts'
import { openBackend } from './backend.ts'

const [users, conversations, messages] = [200, 500, 100_000]

test('a hundred thousand messages take less than a minute', { timeout: 300_000 }, async () => {
  const node = await openNode()
  const backend = await openBackend(node, 'USERS', 'IMPORT')
  const directory = await mkdtemp(path.join(os.tmpdir(), 'parley-import-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const [file, key] = [path.join(directory, 'lines'), path.join(directory, 'key')]
  const lines = [
    ...Array.from({ length: users }, (_, i) => ({ type: 'user', id: `u${i}` })),
    ...Array.from({ length: conversations }, (_, i) => ({
      type: 'conversation',
      id: `c${i}`,
      title: `Conversation ${i}`,
      members: Array.from({ length: 10 }, (_each, j) => ({ id: `u${(i + j) % users}` })),
    })),
    ...Array.from({ length: messages }, (_, i) => ({
      type: 'message',
      id: `m${i}`,
      conversation: `c${i % conversations}`,
      sender: `u${i % users}`,
      text: `message ${i}, with a text of a usual length that says nothing`,
      createdAt: new Date(Date.UTC(2020, 0, 1) + i * 1_000).toISOString(),
    })),
  ]
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
  await writeFile(key, backend.token)
  const startedAt = performance.now()
  const told = await importFile.run([file, '--key-file', key, '--url', node.url])
  const seconds = (performance.now() - startedAt) / 1_000
  process.stdout.write(`${told}\n${seconds.toFixed(1)} s in all\n`)
  expect(told).toMatch(/ 500 conversations complete, 100000 messages imported .* 0 lines wrong$/)
  expect(seconds).toBeLessThan(60)
})
