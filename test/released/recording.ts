// The recording of a release: a database with some of almost everything in it, and what one of its users sees.

import { seed } from '../../src/local/seed.ts'
import * as people from '../account/documents.ts'
import * as groups from '../conversation/documents.ts'
import * as law from '../law/documents.ts'
import * as push from '../push/documents.ts'
import { Subscription } from '../push/push-service.ts'
import { pushing } from '../push/support.ts'
import { Device, request } from '../support/device.ts'
import { LogIn, RemoveMember } from '../support/documents.ts'
import type { WholeQuery } from '../support/generated/graphql.ts'
import { type Node, openNode } from '../support/node.ts'
import { openSystemPostgres } from '../support/system-postgres.ts'

/** The settings of a node that records, and of one that runs on a recording. */
export const environment = { ...pushing, PARLEY_LOG_LEVEL: 'warn' }

/** What Alice knew when the database was recorded. */
export type Known = {
  /** The ids of all four users. */
  readonly people: readonly string[]
  /** A cursor of her stream, from before `missed` was sent. */
  readonly cursor: string
  readonly conversationId: string
  readonly missed: string
  /** The result of the operation `Whole`. */
  readonly whole: WholeQuery
}

/** Logs in as one of the seeded users. */
export async function logInSeeded(node: Node, username: string): Promise<Device> {
  const { data, errors } = await request(node.url, LogIn, { input: { username, password: 'password', deviceName: 'Phone' } })
  if (!data) throw new Error(`logIn: ${errors[0]?.message}`)
  return new Device(node, data.logIn)
}

/** Fills a database on an installed Postgres. @returns its dump as SQL, and what Alice sees */
export async function recordDatabase(): Promise<{ readonly dump: string; readonly known: Known }> {
  const server = await openSystemPostgres()
  await server.query('postgres', 'create role parley login')
  await server.query('postgres', 'create database parley owner parley')
  const node = await openNode({ ...environment, DATABASE_URL: server.url('parley', 'parley') })
  await seed(node.app)
  const cast = []
  for (const name of ['alice', 'bob', 'carol', 'dan']) cast.push(await logInSeeded(node, name))
  const known = await talk(cast as [Device, Device, Device, Device])
  await node.close()
  const { stdout } = await server.run('pg_dump', [
    '-U',
    'parley',
    '--inserts',
    '--no-owner',
    '--no-privileges',
    '--no-toast-compression',
    'parley',
  ])
  // Commands of psql, with which newer versions protect a dump against its contents.
  return { dump: stdout.replaceAll(/^\\.*\n/gm, ''), known }
}

/** Does what users do; returns what Alice sees at the end. */
async function talk([alice, bob, carol, dan]: readonly [Device, Device, Device, Device]): Promise<Known> {
  const conversationId = await alice.group('Recorded', bob, carol)
  const { message } = await alice.send(conversationId, 'a first text')
  const { message: gone } = await bob.send(conversationId, 'to be deleted')
  await alice.run(law.EditMessage, { input: { messageId: message.id, text: 'a second text' } })
  await bob.run(law.DeleteMessage, { input: { messageId: gone.id } })
  await carol.run(law.AddReaction, { input: { messageId: message.id, emoji: '🎉' } })
  await alice.run(law.PinMessage, { input: { messageId: message.id } })
  await bob.run(law.MarkRead, { input: { conversationId, seq: 1 } })
  await alice.run(RemoveMember, { input: { conversationId, userId: carol.userId } })
  await alice.run(groups.SetMemberRole, { input: { conversationId, userId: bob.userId, role: 'ADMIN' } })
  const { createInvite } = await bob.run(groups.CreateInvite, { input: { conversationId, maxUses: 5 } })
  await dan.run(groups.JoinWithInvite, { input: { token: createInvite.invite.token } })
  await alice.run(groups.MuteConversation, { input: { conversationId, until: '2999-01-01T00:00:00.000Z' } })
  await alice.run(people.UpdateProfile, { input: { displayName: 'Alice A.', bio: 'recorded' } })
  await alice.run(people.RequestContact, { input: { userId: bob.userId } })
  await bob.run(people.AcceptContact, { input: { userId: alice.userId } })
  await carol.run(people.BlockUser, { input: { userId: dan.userId } })
  await alice.run(push.RegisterPushSubscription, { input: new Subscription('http://127.0.0.1:9/recorded').input })
  const stream = await alice.events().live()
  const { cursor } = stream
  const missed = 'sent while Alice was away'
  await bob.send(conversationId, missed)
  await stream.text(missed)
  const ids = [alice, bob, carol, dan].map(({ userId }) => userId)
  return { people: ids, cursor, conversationId, missed, whole: await alice.run(law.Whole, { people: ids }) }
}
