// Profiles, usernames that look alike, and the search for people.

import { beforeAll, describe, expect, test } from 'vitest'
import { hearersMax } from '../../src/account/hearers.ts'
import { skeletonOf, skeletonSql } from '../../src/account/lookalikes.ts'
import { UpdateConversation } from '../conversation/documents.ts'
import { type Device, password, request, signUp, signUpAll } from '../support/device.ts'
import { FindUser, LogIn, SignUp } from '../support/documents.ts'
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
  test('D5 is changed by its user, and announced to contacts and people in the same conversations, not to strangers', async () => {
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

  test('makes no fact without a change; omitted and null fields stay; an empty bio removes it', async () => {
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

  test('cannot be changed by anyone else', async () => {
    const { errors } = await request(node.url, UpdateProfile, { input: { bio: 'x' } })
    expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })

  test('of a user with many acquaintances is announced to a bounded number of people, the closest first', async () => {
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
    ['a reserved name', 'admin'],
    ['a lookalike of a reserved name', 'parl.ey'],
    ['rn for m in a reserved name', 'adrnin'],
  ])('is taken by who has it, and so is what looks like it: %s', async (_what, username) => {
    const input = { username, password, displayName: 'Somebody', deviceName: 'Phone' }
    const { errors } = await request(node.url, SignUp, { input })
    expect(errors[0]?.extensions).toMatchObject({ code: 'USERNAME_TAKEN', argument: 'input.username' })
    const renamed = await stranger.refused(ChangeUsername, rename(username))
    expect(renamed.extensions).toMatchObject({ code: 'USERNAME_TAKEN', argument: 'input.username' })
  })

  test('is changed by its user, also to a lookalike of the old one; the old one is free at once', async () => {
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

  test('goes to one of two users who request lookalikes at the same time, on two nodes', async () => {
    const [here, there] = await openPair()
    const people = [await signUp(here, 'Ann'), await signUp(there, 'Ben')]
    const names = ['modern.vvoman', 'modem-w0man']
    const answers = await Promise.all(
      people.map((who, i) => request(who.node.url, ChangeUsername, rename(names[i] ?? ''), who.accessToken)),
    )
    expect(answers.filter(({ data }) => data)).toHaveLength(1)
    expect(answers.flatMap(({ errors }) => errors)).toMatchObject([{ extensions: { code: 'USERNAME_TAKEN' } }])
  })

  test.each([
    ['avwb', 'avvvb'],
    ['cvwd', 'c-wvd'],
    ['mnm1', 'rnnrnl'],
    ['wm9', 'v.v_rn9'],
  ])('looks alike however it is divided: %s and %s', async (one, other) => {
    await signUp(node, one)
    const input = { username: other, password, displayName: 'Somebody', deviceName: 'Phone' }
    expect((await request(node.url, SignUp, { input })).errors[0]?.extensions.code).toBe('USERNAME_TAKEN')
  })

  test('has one skeleton in Postgres and in TypeScript, from one source', async () => {
    const client = await connect(node.databaseUrl)
    const { rows: functions } = await client.query(`select prosrc from pg_proc where proname = 'username_skeleton'`)
    expect(functions).toEqual([{ prosrc: skeletonSql() }])
    const letters = 'abcdefghijklmnopqrstuvwxyz0123456789._-'
    const names = ['rnrn', 'vvv', 'wvw-m', ...Array.from(letters, (a) => Array.from(letters, (b) => `${a}${b}${a}`)).flat()]
    const { rows } = await client.query(
      'select username_skeleton(n) as s from unnest($1::text[]) with ordinality u(n, o) order by o',
      [names],
    )
    expect(rows.map(({ s }) => s)).toEqual(names.map(skeletonOf))
  })
})

describe('a single-line text', () => {
  const wrong = {
    'a line separator': ['a\u2028b', 'a\u2029b', 'a\nb', 'a\u0085b', 'a\u000bb', 'a\tb'],
    'what turns direction': ['a\u202eb', '\u202aab', 'a\u202c', '\u2066ab\u2069', 'a\u2067b', 'a\u206bb', 'a\ufff9b'],
    'nothing that can be seen': [
      '',
      ' ',
      '\u200b',
      '\u3164',
      '\u2800',
      '\u200d',
      '\ufe0f',
      '\u00ad',
      '\u115f\u1160',
      '\uffa0',
      '\u3000\u2800 ',
      '\u180e',
      '\ufeff',
      '\u2063',
      '\u{e0061}',
      '\u0301',
      '\u034f',
      '\u17b5',
    ],
    'what cannot be stored': ['a\u0000b', 'a\ud83d', '\udc0eb'],
  }

  test.each(Object.entries(wrong))('may not contain %s: a display name, a title, a device name', async (_what, lines) => {
    const conversationId = await alice.group('Lines')
    for (const text of lines) {
      const attempts = {
        'input.displayName': alice.refused(UpdateProfile, { input: { displayName: text } }),
        'input.title': alice.refused(UpdateConversation, { input: { conversationId, title: text } }),
        'input.deviceName': alice.refused(LogIn, { input: { username: 'alice', password, deviceName: text } }),
      }
      for (const [argument, attempt] of Object.entries(attempts)) {
        expect({ text, ...(await attempt).extensions }).toMatchObject({ text, code: 'BAD_INPUT', argument })
      }
    }
  })

  test.each([
    ['\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645'], // Persian, with a non-joiner
    ['\u0915\u094d\u200d\u0937'], // Hindi, with a joiner
    ['\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'],
    ['\u2764\ufe0f'],
    ['\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}'],
    ['\u200e\u05d0\u05d1 (A)\u200f'],
    ['\u0e2a\u0e27\u0e31\u200b\u0e2a\u0e14\u0e35'], // Thai, with a break between words
    ['Zoe\u0308 <b>"\u2019;'],
  ])('may hold %s, and is kept as it is', async (text) => {
    expect((await alice.run(UpdateProfile, { input: { displayName: text } })).updateProfile.viewer.displayName).toBe(text)
  })

  test('is stricter than a bio or a description: they keep lines and directions, and are empty if nothing is visible', async () => {
    const text = 'one\ntwo\u2028three \u2067four\u2069'
    const bio = async (typed: string) => (await alice.run(UpdateProfile, { input: { bio: typed } })).updateProfile.viewer.bio
    expect([await bio(text), await bio('\u3164\u200b')]).toEqual([text, ''])
    const input = { conversationId: await alice.group('Described'), description: '\u3164\u200b' }
    expect((await alice.refused(UpdateConversation, { input })).extensions).toMatchObject({ argument: 'input.description' })
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
      ['sisyphos', 'ΣΊΣΥΦΟΣ Παπαδόπουλος'],
      ['fancy', '𝓗𝓮𝓵𝓶𝓾𝓽 O’Hara™'],
      ['pointed', 'שָׁלוֹם مُحـــَمَّد'],
      ['hidden', 'Zo\u00adra Win\u200bter\u2060s'],
      ['flags', 'Fan 🇩🇪🇺🇸'],
    ]) {
      const input = { username: username ?? '', displayName: displayName ?? '', password, deviceName: 'Phone' }
      await request(searched.url, SignUp, { input })
    }
  })

  test('searches usernames and display names, ignores case and accents, and lists the best match first', async () => {
    expect(await found(viewer, 'JOSÉ')).toEqual(['jose', 'josefine', 'pepe', 'maria', 'anjose'])
    expect(await found(viewer, 'angstrom')).toEqual(['pepe'])
    expect(await found(viewer, 'maria jose')).toEqual(['maria'])
    expect(await found(viewer, 'WEISS')).toEqual(['strasse'])
    expect(await found(viewer, 'nobody at all')).toEqual([])
  })

  test.each([
    ['final sigma', 'Σίσυφος παπαδοπουλοσ', 'sisyphos'],
    ['mathematical letters', 'helmut', 'fancy'],
    ['a straight apostrophe', "o'hara", 'fancy'],
    ['curly ones, and a sign', 'O’HARA™', 'fancy'],
    ['Hebrew without points', 'שלום', 'pointed'],
    ['Arabic without points and tatweel', 'محمد', 'pointed'],
    ['invisible characters', 'zora winters', 'hidden'],
    ['invisible characters in the query', 'zo\u200bra win\u00adters', 'hidden'],
    ['one flag', '🇺🇸', 'flags'],
    ['an @ before the username', '@Fancy', 'fancy'],
    ['a full-width @', '＠ｆａｎｃｙ', 'fancy'],
  ])('reads names as messages are read: %s', async (_what, query, username) => {
    expect(await found(viewer, query)).toEqual([username])
  })

  test('does not take the halves of two flags for a flag, nor a lone @ for everyone', async () => {
    for (const query of ['🇪🇺', '@', '@@']) expect(await found(viewer, query)).toEqual([])
  })

  test('takes wildcards literally', async () => {
    for (const query of ['%', '_', '\\', '100%_\\']) expect(await found(viewer, query)).toEqual(['percent'])
  })

  test('pages forwards and backwards', async () => {
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

  test('finds new names at once, and old ones no longer', async () => {
    const device = await signUp(searched, 'Before')
    await device.run(UpdateProfile, { input: { displayName: 'Ünique' } })
    expect(await found(viewer, 'unique')).toEqual(['before'])
    await device.run(ChangeUsername, rename('afterwards'))
    expect(await found(viewer, 'before')).toEqual([])
  })

  test('omits people who have blocked the viewer', async () => {
    const device = await signUp(searched, 'Blocker')
    expect(await found(viewer, 'blocker')).toEqual(['blocker'])
    await device.run(BlockUser, { input: { userId: viewer.userId } })
    expect(await found(viewer, 'blocker')).toEqual([])
    expect(await found(device, 'viewer')).toEqual(['viewer'])
  })

  test.each(['', '   ', 'x'.repeat(101), 'a\u0000'])('refuses the text %j', async (query) => {
    expect((await viewer.refused(SearchUsers, { query })).extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'query' })
  })

  test('refuses an invalid cursor, and an anonymous caller', async () => {
    for (const after of ['', 'AA', '____']) {
      expect((await viewer.refused(SearchUsers, { query: 'x', after })).extensions).toMatchObject({ code: 'BAD_INPUT' })
    }
    expect((await request(searched.url, SearchUsers, { query: 'x' })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  })
})

test('the profile includes the message policy, and cannot be read without a token', async () => {
  expect(await alice.run(Profile, {})).toMatchObject({ viewer: { username: 'alice', isDeleted: false }, messagePolicy: 'ANYONE' })
  expect((await request(node.url, Profile, {})).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
})
