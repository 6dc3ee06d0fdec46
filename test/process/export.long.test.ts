// `parley export`, and what `parley import` makes of it in another installation.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { importFile } from '../../src/commands/import.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import { DeleteMessage } from '../law/documents.ts'
import { deviceOf, openBackend } from '../platform/backend.ts'
import { UpsertConversation } from '../platform/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { graphql } from '../support/generated/index.ts'
import { openNode } from '../support/node.ts'
import { Parley } from './parley.ts'

const secret = { PARLEY_TOKEN_SECRET: 'the token secret of the nodes in this test' }
const Everything = graphql(`
  query Everything {
    viewer { username displayName }
    conversations(first: 20) {
      nodes {
        kind
        title
        members(first: 10) { nodes { role user { username } } }
        messages(first: 20) {
          nodes { kind text data createdAt deletedAt sender { username } replyTo { text } mentions { username } }
        }
      }
    }
  }
`)

test('what is exported from one installation and imported into another is the same there', async () => {
  const here = await openNode(secret)
  const backend = await openBackend(here, 'USERS', 'SEND')
  const ann = await deviceOf(backend, { externalId: 'ann', username: 'ann', displayName: 'Ann', data: { plan: 'pro' } })
  const [ben] = (await signUpAll(here, 'Ben')) as [Device]
  const group = { externalId: 'g', title: 'Group', memberIds: ['ann', ben.userId], data: [1] }
  const { conversation } = (await backend.run(UpsertConversation, { input: group })).upsertConversation
  await ann.send(conversation.id, 'first')
  const gone = await ben.send(conversation.id, 'gone')
  await ben.run(DeleteMessage, { input: { messageId: gone.message.id } })
  await sendFiles(ben, conversation.id, [await upload(ben, textFile())])
  const direct = await ben.direct(ann)
  await ben.send(direct, 'to you alone')

  const directory = await mkdtemp(path.join(os.tmpdir(), 'parley-export-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const [file, key] = [path.join(directory, 'all.ndjson'), path.join(directory, 'key')]
  const environment = { ...secret, DATABASE_URL: here.databaseUrl }
  const command = new Parley(environment, onTestFinished, 'parley', ['export', file])
  expect((await command.ended()).code).toBe(0)
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  expect(command.stdout).toContain(`${lines.length} lines`)
  const again = new Parley(environment, onTestFinished, 'parley', ['export', file])
  expect((await again.ended()).code).toBe(1)

  const there = await openNode()
  const other = await openBackend(there, 'USERS', 'IMPORT')
  await writeFile(key, other.token)
  expect(await importFile.run([file, '--key-file', key, '--url', there.url])).toMatch(
    /2 users, 2 conversations complete, 3 messages .* 0 lines wrong$/,
  )
  const shown = async (device: Device) => {
    const { viewer, conversations } = await device.run(Everything, {})
    return { viewer, conversations: conversations.nodes }
  }
  const [before, after] = [await shown(ann), await shown(await deviceOf(other, { externalId: 'ann' }))]
  // The deleted message is not exported, and the one without a text has the name of its file.
  const kept = before.conversations.map((one) => ({
    ...one,
    messages: {
      nodes: one?.messages?.nodes
        ?.filter((sent) => sent?.deletedAt === null)
        .map((sent) => (sent?.text === '' ? { ...sent, text: 'notes.txt' } : sent)),
    },
  }))
  expect(after).toEqual({ viewer: before.viewer, conversations: kept })
})
