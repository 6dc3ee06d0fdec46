// Search over the API: what users find, in what order, and what they never find.

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

describe('a search finds', () => {
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
    'Service℠ was down 10⁶ times, don’t ask',
    'พรุ่งนี้เรามีประชุมตอนเช้า',
    'ខ្ញុំ\u200bចង់\u200bទៅ\u200bផ្សារ',
    'ကျွန်တော်စားချင်တယ်',
    'مرحبا يا محـــمد',
    'from 🇩🇪🇺🇸, room 7',
    '𠮷野家に行く',
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
    ['Korean in decomposed letters', '한글', [12]],
    ['a decomposed query', '회의'.normalize('NFD'), [1, 0]],
    ['two letters of kana', 'タワ', [3]],
    ['Japanese, kana and Han together', '京タ', [3]],
    ['Chinese', '明天', [4]],
    ['one Han character', '会', [4]],
    ['half-width kana', 'テスト', [5]],
    ['full-width letters', 'abc', [5]],
    ['without accents', 'cafe', [7, 6]],
    ['with accents, and texts without them', 'CAFÉ', [7, 6]],
    ['the beginning of a word', 'meet', [9, 8]],
    ['whole words before the last one', 'meeting not', [8]],
    ['a per cent sign', '100%', [8]],
    ['a per cent sign alone', '%', [8]],
    ['an underscore', 'done_n', [8]],
    ['a backslash', '\\', [11]],
    ['quotes', `'quote'`, [11]],
    ['operators of other engines', '& | ! ( ) <-> :*', [11]],
    ['an emoji', '🦜', [13]],
    ['words without their signs', 'service 10 times', [14]],
    ['a straight apostrophe', "don't ask", [14]],
    ['Thai out of the middle', 'ประชุม', [15]],
    ['Khmer out of the middle', 'ចង់ទៅ', [16]],
    ['Burmese out of the middle', 'စား', [17]],
    ['Arabic without tatweel', 'محمد', [18]],
    ['one flag', '🇺🇸', [19]],
    ['a character beyond the first plane', '𠮷', [20]],
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
    ['the halves of two flags', '🇪🇺'],
    ['a keycap', '7\ufe0f\u20e3'],
  ])('not by %s', async (_what, query) => {
    expect(await textsFound(bob, query)).toEqual([])
  })

  test('highlights are ranges in units of the original text', async () => {
    const parts = async (query: string) => {
      const { searchMessages } = await bob.run(SearchMessages, { query })
      return searchMessages.edges.map(({ highlights, node }) => highlights.map(({ start, end }) => node.text.slice(start, end)))
    }
    expect(await parts('회의')).toEqual([['회의'], ['회의']])
    expect(await parts('plait cafe')).toEqual([['café', 'plaît']])
    expect(await parts('한글')).toEqual([['한글'.normalize('NFD')]])
    expect(await parts('parrot')).toEqual([['parrot']])
    expect(await parts('service 10⁶')).toEqual([['Service', '10⁶']])
    expect(await parts('ចង់')).toEqual([['ចង់']])
    expect(await parts('🇺🇸')).toEqual([['🇺🇸']])
    expect(await parts('野家')).toEqual([['野家']])
  })

  test.each([
    ['nothing', '', 'query'],
    ['white space', ' \n', 'query'],
    ['invisible characters', '\u200b', 'query'],
    ['201 characters', 'x'.repeat(201), 'query'],
    ['half of a surrogate pair', 'a\ud800', 'query'],
  ])('refuses %s', async (_what, query, argument) => {
    expect((await bob.refused(SearchMessages, { query })).extensions).toMatchObject({ code: 'BAD_INPUT', argument })
  })

  test('accepts 200 characters of any kind', async () => {
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

  test('from a time on, and before another', async () => {
    const [third = '', seventh = ''] = [moments[2], moments[6]]
    const within = (since: string, until: string) =>
      moments.flatMap((moment, i) => (moment >= since && moment < until ? [i + 1] : [])).reverse()
    expect(await numbers({ since: third, until: seventh })).toEqual(within(third, seventh))
    expect(await numbers({ since: third })).toEqual(within(third, '3'))
    expect(await numbers({ until: third })).toEqual(within('1', third))
    expect((await alice.refused(SearchMessages, { query: '점심', since: 'yesterday' })).extensions.code).toBe('BAD_INPUT')
  })

  test('pages follow each other without a gap or a repeat, in both directions, while messages arrive', async () => {
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

describe('search is for', () => {
  test('members alone: not a stranger, not by the id of the conversation or of the sender, and no anonymous caller', async () => {
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

  test('not a removed or former member; again when they are back', async () => {
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

  test('ids of another type are refused by name', async () => {
    for (const [argument, id] of [
      ['conversationId', alice.userId],
      ['senderId', 'rubbish'],
    ] as const) {
      const refusal = await alice.refused(SearchMessages, { query: 'x', [argument]: id })
      expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
    }
  })
})
