// Word rules: which words match, and what happens to a message that has one.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { setRole } from '../../src/account/operator-actions.ts'
import { parseId } from '../../src/id.ts'
import { createWordRules } from '../../src/message/word-rules.ts'
import { EditMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { SendMessage } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import * as documents from './documents.ts'

const report = () => Promise.resolve()
const rules = (words: Partial<Record<'refused' | 'masked' | 'flagged', string[]>>) =>
  createWordRules({ refused: [], masked: [], flagged: [], ...words }, report)
const masked = (words: string[], text: string) => rules({ masked: words })?.judge(text).text

describe('a word', () => {
  test.each([
    [['darn'], 'Darn! DARN, darned; ｄａｒｎ.', '****! ****, darned; ****.'],
    [['straße'], 'In der Straße', 'In der ******'],
    [['바보'], '이 바보야, 바보', '이 **야, **'],
    [['笨蛋'], '你是笨蛋吗', '你是**吗'],
    [['a1'], 'a1 a11 (a1)', '** a11 (**)'],
    [['x'], 'no match\n\tkept   as it is', 'no match\n\tkept   as it is'],
  ])('of %s in %s', (words, text, expected) => {
    expect(masked(words, text)).toBe(expected)
  })

  test('takes time in proportion to the text', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `word${i}`)
    const korean = Array.from({ length: 1_000 }, (_, i) => `낱말${i}`)
    const text = `${'word '.repeat(10_000)}${'낱말'.repeat(20_000)}`
    const begun = performance.now()
    rules({ refused: many, masked: korean, flagged: korean })?.judge(text)
    expect(performance.now() - begun).toBeLessThan(2_000)
  })

  test('is not looked for without rules', () => {
    expect(rules({})).toBeNull()
  })
})

describe('a message', () => {
  let node: Node
  let ann: Device
  let ben: Device
  let moderator: Device
  let group: string

  beforeAll(async () => {
    node = await openNode({ PARLEY_WORDS_REFUSED: 'spam, scam', PARLEY_WORDS_MASKED: 'darn', PARLEY_WORDS_FLAGGED: 'knife' })
    ;[ann, ben, moderator] = (await signUpAll(node, 'Ann', 'Ben', 'Molly')) as [Device, Device, Device]
    await setRole(parseId('User', moderator.userId, ''), 'MODERATOR', node.app)
    group = await ann.group('Words', ben)
  })
  const input = (text: string, clientMessageId: string = randomUUID()) => ({
    input: { conversationId: group, text, clientMessageId },
  })
  const flagged = async () => (await moderator.run(documents.Reports, { first: 100 })).reports.nodes ?? []

  test('with a refused word is not sent, and an edit to one is not made', async () => {
    expect((await ann.refused(SendMessage, input('Buy SPAM'))).extensions.code).toBe('MESSAGE_REFUSED')
    const { message } = await ann.send(group, 'Buy ham')
    const edit = { input: { messageId: message.id, text: 'a scam' } }
    expect((await ann.refused(EditMessage, edit)).extensions.code).toBe('MESSAGE_REFUSED')
  })

  test('D2 with a masked word is stored masked, and its repeat is the same message', async () => {
    const key = randomUUID()
    const sent = (await ann.run(SendMessage, input('Oh darn it', key))).sendMessage.message
    expect(sent.text).toBe('Oh **** it')
    const again = (await ann.run(SendMessage, input('Oh darn it', key))).sendMessage.message
    expect(again).toMatchObject({ id: sent.id, text: 'Oh **** it' })
    expect((await ann.refused(SendMessage, input('Oh my', key))).extensions.code).toBe('IDEMPOTENCY_CONFLICT')
    const { editMessage } = await ann.run(EditMessage, { input: { messageId: sent.id, text: 'Darn again' } })
    expect(editMessage.message.text).toBe('**** again')
  })

  test('with a flagged word is sent, and reported once, by nobody', async () => {
    const before = (await flagged()).length
    const key = randomUUID()
    const { message } = (await ann.run(SendMessage, input('a knife', key))).sendMessage
    await ann.run(SendMessage, input('a knife', key))
    const reports = (await flagged()).slice(before)
    expect(reports).toMatchObject([{ reporter: null, user: { id: ann.userId }, messageId: message.id }])
    const { message: other } = await ben.send(group, 'a spoon')
    await ben.run(EditMessage, { input: { messageId: other.id, text: 'another knife' } })
    expect((await flagged()).at(-1)).toMatchObject({ messageId: other.id, user: { id: ben.userId } })
  })
})
