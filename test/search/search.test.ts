// Search through the door: what is found, in what order, by whom, and what never is.

import { beforeAll, describe, expect, test } from 'vitest'
import { type Device, request, signUpAll } from '../support/device.ts'
import { AddMembers, LeaveConversation, RemoveMember } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { SearchMessages } from './documents.ts'
import { indexed, textsFound } from './support.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device
let stranger: Device

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob, carol, stranger] = (await signUpAll(node, 'Alice', 'Bob', 'Carol', 'Stranger')) as [
    Device,
    Device,
    Device,
    Device,
  ]
})

describe('what is found', () => {
  let group: string
  const texts = [
    '오늘 회의록을 공유합니다',
    '내일 회의는 열 시에 해요',
    '회사와 의논했습니다',
    '東京タワーに行きました',
    '我们明天开会，请准时',
    'ﾃｽﾄ ＡＢＣ',
    'Un café crème, s’il vous plaît',
    'UN CAFE NOIR',
    'Meeting notes: 100% done_now',
    'the meetings of tomorrow',
    '1000 percent',
    "it's a \\ and a 'quote' & | ! ( ) <-> :*",
    '한글로 쓴 것'.normalize('NFD'),
    '🦜 a parrot',
  ] as const
  const at = (...places: number[]) => places.map((place) => texts[place])
  beforeAll(async () => {
    group = await alice.group('Texts', bob)
    for (const text of texts) await alice.send(group, text)
    await indexed(node)
  })

  test.each<[string, string, number[]]>([
    ['two syllables of Korean', '회의', [1, 0]],
    ['two syllables out of the middle', '의록', [0]],
    ['one syllable', '열', [1]],
    ['a syllable at the end of a word', '록', [0]],
    ['Korean words in any order', '공유 회의', [0]],
    ['Korean that was typed in parts', '한글', [12]],
    ['a query that is typed in parts', '회의'.normalize('NFD'), [1, 0]],
    ['two letters of kana', 'タワ', [3]],
    ['Japanese, kana and Han together', '京タ', [3]],
    ['Chinese', '明天', [4]],
    ['one Han character', '会', [4]],
    ['half-width kana', 'テスト', [5]],
    ['full-width letters', 'abc', [5]],
    ['without accents', 'cafe', [7, 6]],
    ['with accents, and what has none', 'CAFÉ', [7, 6]],
    ['the beginning of a word', 'meet', [9, 8]],
    ['whole words before the last one', 'meeting not', [8]],
    ['a per cent sign', '100%', [8]],
    ['a per cent sign alone', '%', [8]],
    ['an underscore', 'done_n', [8]],
    ['a backslash', '\\', [11]],
    ['quotes', `'quote'`, [11]],
    ['what is an operator elsewhere', '& | ! ( ) <-> :*', [11]],
    ['an emoji', '🦜', [13]],
  ])('by %s', async (_what, query, places) => {
    expect(await textsFound(bob, query)).toEqual(at(...places))
  })

  test.each([
    ['a wildcard of LIKE', '회%록'],
    ['another one', 'caf_'],
    ['a wildcard of other engines', 'me*ing'],
    ['the middle of a Latin word', 'eeting'],
    ['syllables that stand apart', '사의'],
    ['a word that is in another message', '회의 café'],
    ['a voicing mark too many', 'ダワー'],
  ])('not by %s', async (_what, query) => {
    expect(await textsFound(bob, query)).toEqual([])
  })

  test('highlights say where, in units of the text as it was sent', async () => {
    const parts = async (query: string) => {
      const { searchMessages } = await bob.run(SearchMessages, { query })
      return searchMessages.edges.map(({ highlights, node }) => highlights.map(({ start, end }) => node.text.slice(start, end)))
    }
    expect(await parts('회의')).toEqual([['회의'], ['회의']])
    expect(await parts('plait cafe')).toEqual([['café', 'plaît']])
    expect(await parts('한글')).toEqual([['한글'.normalize('NFD')]])
    expect(await parts('parrot')).toEqual([['parrot']])
  })

  test.each([
    ['nothing', '', 'query'],
    ['white space', ' \n', 'query'],
    ['what cannot be seen', '\u200b', 'query'],
    ['201 characters', 'x'.repeat(201), 'query'],
    ['half of a surrogate pair', 'a\ud800', 'query'],
  ])('%s is refused', async (_what, query, argument) => {
    expect((await bob.refused(SearchMessages, { query })).extensions).toMatchObject({ code: 'BAD_INPUT', argument })
  })

  test('200 characters of anything are taken', async () => {
    for (const character of ['회', '%', 'x', 'ﷺ', '🦜', 'é']) expect(await textsFound(bob, character.repeat(200))).toEqual([])
  })
})

describe('filters and pages', () => {
  let one: string
  let two: string
  const moments: string[] = []
  beforeAll(async () => {
    ;[one, two] = [await alice.group('One', bob), await bob.group('Two', alice)]
    for (let i = 1; i <= 9; i += 1) {
      const { message } = await (i % 3 ? alice : bob).send(i % 2 ? one : two, `점심 ${i}`)
      moments.push(message.createdAt)
    }
    await indexed(node)
  })
  const numbers = async (rest: object) => (await textsFound(alice, '점심', rest)).map((text) => Number(text.slice(3)))

  test('one conversation, one sender, or both', async () => {
    expect(await numbers({})).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1])
    expect(await numbers({ conversationId: two })).toEqual([8, 6, 4, 2])
    expect(await numbers({ senderId: bob.userId })).toEqual([9, 6, 3])
    expect(await numbers({ conversationId: two, senderId: bob.userId })).toEqual([6])
    expect(await numbers({ senderId: stranger.userId })).toEqual([])
  })

  test('from a moment on, and before another', async () => {
    const [third = '', seventh = ''] = [moments[2], moments[6]]
    const within = (since: string, until: string) =>
      moments.flatMap((moment, i) => (moment >= since && moment < until ? [i + 1] : [])).reverse()
    expect(await numbers({ since: third, until: seventh })).toEqual(within(third, seventh))
    expect(await numbers({ since: third })).toEqual(within(third, '3'))
    expect(await numbers({ until: third })).toEqual(within('1', third))
    expect((await alice.refused(SearchMessages, { query: '점심', since: 'yesterday' })).extensions.code).toBe('BAD_INPUT')
  })

  test('pages follow each other without a hole or a repeat, in both directions, whatever is sent meanwhile', async () => {
    const page = async (variables: object) => (await alice.run(SearchMessages, { query: '점심', ...variables })).searchMessages
    const seen = ({ edges }: { edges: readonly { node: { text: string } }[] }) => edges.map(({ node }) => node.text.slice(3))
    const first = await page({ first: 4 })
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false })
    await alice.send(two, '저녁은 점심 뒤에')
    await indexed(node)
    const second = await page({ first: 4, after: first.pageInfo.endCursor })
    const third = await page({ first: 4, after: second.pageInfo.endCursor })
    expect([first, second, third].map(seen)).toEqual([['9', '8', '7', '6'], ['5', '4', '3', '2'], ['1']])
    expect(third.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true })
    expect(seen(await page({ last: 2 }))).toEqual(['2', '1'])
    expect(seen(await page({ last: 2, before: third.pageInfo.startCursor }))).toEqual(['3', '2'])
    expect((await alice.refused(SearchMessages, { query: '점심', first: 101 })).extensions).toMatchObject({ argument: 'first' })
    expect((await alice.refused(SearchMessages, { query: '점심', after: 'rubbish' })).extensions).toMatchObject({
      argument: 'after',
    })
  })
})

describe('who finds', () => {
  test('members alone: not a stranger, not by the id of the conversation or of the sender, and nobody without a token', async () => {
    const group = await alice.group('Secret', bob)
    await alice.send(group, '비밀번호는 1234')
    await indexed(node)
    expect(await textsFound(bob, '비밀')).toEqual(['비밀번호는 1234'])
    expect(await textsFound(stranger, '비밀')).toEqual([])
    expect(await textsFound(stranger, '비밀', { senderId: alice.userId })).toEqual([])
    const foreign = await stranger.refused(SearchMessages, { query: '비밀', conversationId: group })
    const unknown = await stranger.refused(SearchMessages, { query: '비밀', conversationId: 'cnv_00000000zzzzz' })
    expect(foreign.extensions).toMatchObject({ code: 'NOT_FOUND' })
    expect(foreign).toEqual(unknown)
    expect((await request(node.url, SearchMessages, { query: '비밀' })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
    const hit = await bob.run(SearchMessages, { query: '비밀' })
    expect(await textsFound(stranger, '비밀', { after: hit.searchMessages.edges[0]?.cursor ?? '', first: 100 })).toEqual([])
  })

  test('not somebody who was removed or has left; again when they are back', async () => {
    const group = await alice.group('Coming and going', bob, carol)
    await alice.send(group, '이사 준비')
    await indexed(node)
    await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
    await carol.run(LeaveConversation, { input: { conversationId: group } })
    await alice.send(group, '이사 끝')
    await indexed(node)
    for (const gone of [bob, carol]) {
      expect(await textsFound(gone, '이사')).toEqual([])
      expect((await gone.refused(SearchMessages, { query: '이사', conversationId: group })).extensions.code).toBe('NOT_FOUND')
    }
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
    expect((await textsFound(bob, '이사'))[0]).toBe('이사 끝')
  })

  test('ids of another kind are refused by name', async () => {
    for (const [argument, id] of [
      ['conversationId', alice.userId],
      ['senderId', 'rubbish'],
    ] as const) {
      const refusal = await alice.refused(SearchMessages, { query: 'x', [argument]: id })
      expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
    }
  })
})
