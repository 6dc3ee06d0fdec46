// Sign-up by an operator's invitation.

import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createInvitation, readInvitations, revokeInvitation } from '../../src/account/invitations.ts'
import { password, request } from '../support/device.ts'
import { SignUp } from '../support/documents.ts'
import { openNode } from '../support/node.ts'

const inADay = () => new Date(Date.now() + 86_400_000)
async function signUp(url: string, username: string, invitation: string | null): Promise<string> {
  const input = { username, password, displayName: username, deviceName: 'x', invitation }
  const { errors } = await request(url, SignUp, { input })
  const { code, argument } = errors[0]?.extensions ?? { code: 'SIGNED_UP' }
  return argument === undefined ? String(code) : `${code} ${argument}`
}

test('an invitation opens as many accounts as it says, and a failed sign-up uses none of them', async () => {
  const node = await openNode({ PARLEY_SIGN_UP: 'invited' })
  const token = await createInvitation(2, inADay(), node.app)
  const refused = 'FORBIDDEN input.invitation'
  expect(await signUp(node.url, 'nobody', null)).toBe(refused)
  expect(await signUp(node.url, 'nobody', randomBytes(24).toString('base64url'))).toBe(refused)
  expect(await signUp(node.url, 'first', token)).toBe('SIGNED_UP')
  expect(await signUp(node.url, 'first', token)).toBe('USERNAME_TAKEN input.username')
  expect(await readInvitations(node.app)).toMatchObject([{ uses: 1, maxUses: 2 }])
  const both = await Promise.all(['second', 'third'].map((name) => signUp(node.url, name, token)))
  expect(both.toSorted()).toEqual([refused, 'SIGNED_UP'])
  expect(await readInvitations(node.app)).toEqual([])
})

test('a revoked or expired invitation opens none', async () => {
  const node = await openNode({ PARLEY_SIGN_UP: 'invited' })
  const [revoked, expired] = [await createInvitation(1, inADay(), node.app), await createInvitation(1, new Date(), node.app)]
  const [{ id } = { id: 0 }] = await readInvitations(node.app)
  expect(await revokeInvitation(id, node.app)).toBe(true)
  expect(await revokeInvitation(id, node.app)).toBe(false)
  for (const token of [revoked, expired]) expect(await signUp(node.url, 'nobody', token)).toBe('FORBIDDEN input.invitation')
})

test('where everybody or nobody may sign up, an invitation changes nothing', async () => {
  const open = await openNode()
  const token = await createInvitation(1, inADay(), open.app)
  expect(await signUp(open.url, 'somebody', 'no such invitation')).toBe('SIGNED_UP')
  const closed = await openNode({ DATABASE_URL: open.databaseUrl, PARLEY_SIGN_UP: 'closed' })
  expect(await signUp(closed.url, 'another', token)).toBe('FORBIDDEN')
})
