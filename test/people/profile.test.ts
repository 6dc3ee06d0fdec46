// Profiles, usernames that look alike, and the search for people.

import { beforeAll, describe, expect, test } from 'vitest'
import { skeletonOf } from '../../src/account/username.ts'
import { hearersMax } from '../../src/people/actions.ts'
import { type Device, password, request, signUp, signUpAll } from '../support/device.ts'
import { FindUser, SignUp } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { AcceptContact, BlockUser, ChangeUsername, Profile, RequestContact, SearchUsers, UpdateProfile } from './documents.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device
let stranger: Device

beforeAll(async () => {
  node = await openNode()
  const people = await signUpAll(node, 'Alice', 'Bob', 'Carol', 'Stranger')
  ;[alice, bob, carol, stranger] = people as [Device, Device, Device, Device]
})

const rename = (username: string) => ({ input: { username } })

async function found(device: Device, query: string): Promise<string[]> {
  const { searchUsers } = await device.run(SearchUsers, { query })
  return searchUsers.edges?.flatMap((edge) => edge?.node?.username ?? []) ?? []
}

describe('a profile', () => {
  test('D5 is changed by its person, and told to contacts and to people in the same conversations, not to strangers', async () => {
    await alice.group('With Bob', bob)
    await alice.run(RequestContact, { input: { userId: carol.userId } })
    await carol.run(AcceptContact, { input: { userId: alice.userId } })
    const logs = await Promise.all([alice, bob, carol, stranger].map((who) => who.events().live()))
    const { updateProfile } = await alice.run(UpdateProfile, { input: { displayName: ' Alice A. ', bio: 'Hello\nthere' } })
    expect(updateProfile.viewer).toEqual({ displayName: 'Alice A.', bio: 'Hello\nthere' })
    for (const log of logs.slice(0, 3)) {
      expect(await log.first('UserUpdated')).toMatchObject({ user: { username: 'alice', displayName: 'Alice A.' } })
    }
    await stranger.run(UpdateProfile, { input: { bio: 'A sign' } })
    await logs[3]?.first('UserUpdated')
    expect(logs[3]?.seen.filter((event) => event.__typename === 'UserUpdated')).toMatchObject([
      { user: { username: 'stranger' } },
    ])
  })

  test('that stays as it is causes no fact; what is left out or null stays; an empty bio takes it away', async () => {
    await bob.run(UpdateProfile, { input: { displayName: 'Bobby', bio: 'x' } })
    const same = await bob.run(UpdateProfile, { input: { displayName: 'Bobby', bio: null } })
    expect(same.updateProfile).toEqual({ viewer: { displayName: 'Bobby', bio: 'x' }, cursor: null })
    expect((await bob.run(UpdateProfile, { input: { bio: '  ' } })).updateProfile.viewer).toEqual({
      displayName: 'Bobby',
      bio: '',
    })
  })

  test.each([
    ['input.displayName', { displayName: ' ' }],
    ['input.displayName', { displayName: 'x'.repeat(81) }],
    ['input.bio', { bio: 'x'.repeat(501) }],
    ['input.bio', { bio: 'a\u0000b' }],
  ])('with a bad %s is refused', async (argument, input) => {
    expect((await bob.refused(UpdateProfile, { input })).extensions).toMatchObject({ code: 'BAD_INPUT', argument })
  })

  test('is changed by nobody else', async () => {
    const { errors } = await request(node.url, UpdateProfile, { input: { bio: 'x' } })
    expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })

  test('of somebody in a crowd is told to a bounded number of people, the closest first', async () => {
    const crowded = await openNode()
    const [star, friend] = (await signUpAll(crowded, 'Star', 'Zoe')) as [Device, Device]
    await star.direct(friend)
    const client = await connect(crowded.databaseUrl)
    await client.query(`
      insert into conversation(id, kind, title) overriding system value values (900, 'GROUP', 'Crowd');
      insert into "user"(id, username, display_name) overriding system value
        select 1000 + i, 'fan-' || i || '-x', 'Fan' from generate_series(1, 700) i;
      insert into member(conversation_id, user_id) select 900, id from "user" where username = 'star' or id > 1000`)
    const heard = await friend.events().live()
    await star.run(UpdateProfile, { input: { displayName: 'Superstar' } })
    await heard.first('UserUpdated')
    const { rows } = await client.query('select count(*)::int as hearers from fact where kind = 20')
    expect(rows).toEqual([{ hearers: hearersMax }])
  })
})

describe('a username', () => {
  test.each([
    ['the same', 'alice'],
    ['another case', 'ALICE'],
    ['full-width letters', 'ａｌｉｃｅ'],
    ['1 for l', 'a1ice'],
    ['l for i', 'allce'],
    ['dots and dashes', 'a.l-i_ce'],
    ['a reserved one', 'admin'],
    ['what looks like a reserved one', 'parl.ey'],
    ['rn for m in a reserved one', 'adrnin'],
  ])('is taken by who has it, and so is what looks like it: %s', async (_what, username) => {
    const input = { username, password, displayName: 'Somebody', deviceName: 'Phone' }
    const { errors } = await request(node.url, SignUp, { input })
    expect(errors[0]?.extensions).toMatchObject({ code: 'USERNAME_TAKEN', argument: 'input.username' })
    const renamed = await stranger.refused(ChangeUsername, rename(username))
    expect(renamed.extensions).toMatchObject({ code: 'USERNAME_TAKEN', argument: 'input.username' })
  })

  test('is changed by its person, also to what looks like the old one; the old one is free at once', async () => {
    const dave = await signUp(node, 'Dave')
    expect((await dave.run(ChangeUsername, rename('D.ave'))).changeUsername.viewer.username).toBe('d.ave')
    expect((await dave.run(ChangeUsername, rename('d.ave'))).changeUsername.cursor).toBeNull()
    await dave.run(ChangeUsername, rename('walter'))
    expect((await alice.run(FindUser, { username: 'd.ave' })).user).toBeNull()
    expect((await alice.run(FindUser, { username: 'walter' })).user?.id).toBe(dave.userId)
    expect((await signUp(node, 'Dave')).userId).not.toBe(dave.userId)
    expect((await dave.refused(ChangeUsername, rename('x'))).extensions).toMatchObject({ code: 'BAD_INPUT' })
    expect((await request(node.url, ChangeUsername, rename('x123'))).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })

  test('goes to one of two who want names that look alike at once, on two nodes', async () => {
    const [here, there] = await openPair()
    const people = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    const names = ['modern.vvoman', 'modem-w0man']
    const answers = await Promise.all(
      people.map((who, i) => request(who.node.url, ChangeUsername, rename(names[i] ?? ''), who.accessToken)),
    )
    expect(answers.filter(({ data }) => data)).toHaveLength(1)
    expect(answers.flatMap(({ errors }) => errors)).toMatchObject([{ extensions: { code: 'USERNAME_TAKEN' } }])
  })

  test('has one skeleton in Postgres and here', async () => {
    const client = await connect(node.databaseUrl)
    const names = ['rnrn', 'r.n', 'vvv', 'v.vv-v', 'a-1_i.l0', 'rnvv10', 'r-r.nn', 'plain']
    const { rows } = await client.query(
      'select username_skeleton(n) as s from unnest($1::text[]) with ordinality u(n, o) order by o',
      [names],
    )
    expect(rows.map(({ s }) => s)).toEqual(names.map(skeletonOf))
  })
})

describe('the search for people', () => {
  let searched: Node
  let viewer: Device
  beforeAll(async () => {
    searched = await openNode()
    viewer = await signUp(searched, 'Viewer')
    for (const [username, displayName] of [
      ['jose', 'Somebody'],
      ['josefine', 'F.'],
      ['pepe', 'José Ångström'],
      ['maria', 'Maria  JOSÉ'],
      ['anjose', 'A.'],
      ['percent', '100%_\\ sure'],
      ['strasse', 'Frau Weiß'],
    ]) {
      const input = { username: username ?? '', displayName: displayName ?? '', password, deviceName: 'Phone' }
      await request(searched.url, SignUp, { input })
    }
  })

  test('looks into usernames and display names, whatever case and accents, the best match first', async () => {
    expect(await found(viewer, 'JOSÉ')).toEqual(['jose', 'josefine', 'pepe', 'maria', 'anjose'])
    expect(await found(viewer, 'angstrom')).toEqual(['pepe'])
    expect(await found(viewer, 'maria jose')).toEqual(['maria'])
    expect(await found(viewer, 'WEISS')).toEqual(['strasse'])
    expect(await found(viewer, 'nobody at all')).toEqual([])
  })

  test('takes wildcards for letters', async () => {
    for (const query of ['%', '_', '\\', '100%_\\']) expect(await found(viewer, query)).toEqual(['percent'])
  })

  test('goes by page, forwards and backwards', async () => {
    const page = async (args: { first?: number; after?: string | null; last?: number; before?: string | null }) =>
      (await viewer.run(SearchUsers, { query: 'jose', ...args })).searchUsers
    const names = (edges: Awaited<ReturnType<typeof page>>['edges']) => edges?.map((edge) => edge?.node?.username)
    const first = await page({ first: 2 })
    expect(names(first.edges)).toEqual(['jose', 'josefine'])
    const second = await page({ first: 2, after: first.pageInfo.endCursor ?? null })
    expect(names(second.edges)).toEqual(['pepe', 'maria'])
    expect(second.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true })
    const back = await page({ last: 2, before: second.pageInfo.startCursor ?? null })
    expect(names(back.edges)).toEqual(['jose', 'josefine'])
    expect(names((await page({ last: 1 })).edges)).toEqual(['anjose'])
  })

  test('finds new names at once, and no longer the old ones', async () => {
    const device = await signUp(searched, 'Before')
    await device.run(UpdateProfile, { input: { displayName: 'Ünique' } })
    expect(await found(viewer, 'unique')).toEqual(['before'])
    await device.run(ChangeUsername, rename('afterwards'))
    expect(await found(viewer, 'before')).toEqual([])
  })

  test('does not show who has blocked the viewer', async () => {
    const device = await signUp(searched, 'Blocker')
    expect(await found(viewer, 'blocker')).toEqual(['blocker'])
    await device.run(BlockUser, { input: { userId: viewer.userId } })
    expect(await found(viewer, 'blocker')).toEqual([])
    expect(await found(device, 'viewer')).toEqual(['viewer'])
  })

  test.each(['', '   ', 'x'.repeat(101), 'a\u0000'])('refuses the text %j', async (query) => {
    expect((await viewer.refused(SearchUsers, { query })).extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'query' })
  })

  test('refuses a cursor that is none, and nobody', async () => {
    for (const after of ['', 'AA', '____']) {
      expect((await viewer.refused(SearchUsers, { query: 'x', after })).extensions).toMatchObject({ code: 'BAD_INPUT' })
    }
    expect((await request(searched.url, SearchUsers, { query: 'x' })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })
})

test('the profile says who may write to one, and nobody reads it without a token', async () => {
  expect(await alice.run(Profile, {})).toMatchObject({ viewer: { username: 'alice', isDeleted: false }, messagePolicy: 'ANYONE' })
  expect((await request(node.url, Profile, {})).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
})
