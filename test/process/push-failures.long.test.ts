// The command that lists given-up notifications and retries them.

import { expect, onTestFinished, test } from 'vitest'
import { PushService } from '../push/push-service.ts'
import { decided, pushing } from '../push/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, createDatabase, openNode } from '../support/node.ts'
import { endings, Parley } from './parley.ts'

const secret = { PARLEY_TOKEN_SECRET: 'a secret that nobody will ever guess' }

/** Runs the command on a database; returns its output lines. */
async function failures(databaseUrl: string, ...args: string[]): Promise<string[]> {
  const command = new Parley({ ...secret, DATABASE_URL: databaseUrl }, onTestFinished, 'parley', ['push-failures', ...args])
  expect(await command.ended(), command.stderr).toEqual(endings.ok)
  return command.stdout.trimEnd().split('\n')
}

test('N10 lists given-up deliveries without addresses, and sends them on a retry', async () => {
  const node = await openNode(pushing)
  const service = await PushService.open()
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const his = await service.subscribe(bob)
  his.behaviour = { status: 403 }
  const { message } = await alice.send(await alice.direct(bob), 'hello')
  await decided(bob, message.id, 'FAILED REFUSED')
  const sql = await connect(node.databaseUrl)
  await sql.query(
    `select graphile_worker.add_job('push_notify', '{"messageId": 0}', max_attempts := 1, run_at := now() + interval '1 hour')`,
  )
  await sql.query(`update graphile_worker._private_jobs set attempts = max_attempts, last_error = 'a fault'`)

  const [first, second, last] = await failures(node.databaseUrl)
  const listed = [first, second].map((line) => JSON.parse(line ?? '')).toSorted((a, b) => (a.what < b.what ? -1 : 1))
  expect(listed).toMatchObject([
    { what: 'delivery message', attempts: 1, reason: 'REFUSED', error: 'the service answered 403' },
    { what: 'job push_notify', attempts: 1, error: 'a fault' },
  ])
  expect(last).toBe('2 given up')
  expect([first, second].join()).not.toContain(his.endpoint)

  his.behaviour = { status: 201 }
  expect(await failures(node.databaseUrl, '--retry')).toEqual(['2 will be retried'])
  await decided(bob, message.id, 'SENT')
  expect(his.shown).toEqual(['Alice|hello'])
  expect(await failures(node.databaseUrl)).toEqual(['0 given up'])
})

test('N10 refuses a database without a Parley, and unknown arguments, with one sentence', async () => {
  const url = Object.assign(new URL(await createDatabase()), { pathname: '/postgres' })
  const command = new Parley({ ...secret, DATABASE_URL: url.href }, onTestFinished, 'parley', ['push-failures'])
  expect(await command.ended()).toEqual(endings.failed)
  expect(command.stderr).toContain('start a node of this version on it first')
  const other = new Parley({ ...secret, DATABASE_URL: url.href }, onTestFinished, 'parley', ['push-failures', '--all'])
  expect(await other.ended()).toEqual({ code: 2, signal: null })
  expect(other.stderr).toContain("Unknown option '--all'")
  expect(other.stderr).toContain('Usage: parley push-failures\n       parley push-failures --retry\n')
})
