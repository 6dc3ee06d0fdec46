// The limits that the server publishes are those that it holds.

import { beforeAll, expect, test } from 'vitest'
import { AddReaction } from './law/documents.ts'
import { UpdateProfile } from './people/documents.ts'
import { type Device, request, signUpAll } from './support/device.ts'
import { CreateGroup, SendMessage } from './support/documents.ts'
import type { LimitsQuery } from './support/generated/graphql.ts'
import { graphql } from './support/generated/index.ts'
import { type Node, openNode } from './support/node.ts'

const Limits = graphql(`
  query Limits {
    limits {
      messageTextMax groupMembersMax groupTitleMax displayNameMax bioMax mentionsMax emojiOnMessageMax pageSizeMax typingLapsesMs
    }
  }
`)

let node: Node
let alice: Device
let limits: LimitsQuery['limits']
beforeAll(async () => {
  node = await openNode({ PARLEY_MESSAGE_TEXT_MAX: '50', PARLEY_GROUP_MEMBERS_MAX: '3' })
  ;[alice] = (await signUpAll(node, 'Alice')) as [Device]
  const { data, errors } = await request(node.url, Limits, {})
  if (!data) throw new Error(errors[0]?.message)
  limits = data.limits
})

test('are told to nobody in particular, as they are set', () => {
  expect(limits).toMatchObject({ messageTextMax: 50, groupMembersMax: 3, pageSizeMax: 100, typingLapsesMs: 6_000 })
})

test('hold to the character: what is at the limit is taken, what is one beyond it is refused by name', async () => {
  const conversationId = await alice.group('x'.repeat(limits.groupTitleMax))
  const text = (length: number) => ({
    input: { conversationId, clientMessageId: crypto.randomUUID(), text: '🦜'.repeat(length) },
  })
  const sent = await alice.run(SendMessage, text(limits.messageTextMax))
  const { displayNameMax, bioMax } = limits
  await alice.run(UpdateProfile, { input: { displayName: 'x'.repeat(displayNameMax), bio: 'x'.repeat(bioMax) } })
  for (const [refusal, argument] of [
    [await alice.refused(SendMessage, text(limits.messageTextMax + 1)), 'input.text'],
    [await alice.refused(CreateGroup, { input: { title: 'x'.repeat(limits.groupTitleMax + 1), memberIds: [] } }), 'input.title'],
    [await alice.refused(UpdateProfile, { input: { displayName: 'x'.repeat(displayNameMax + 1) } }), 'input.displayName'],
    [await alice.refused(UpdateProfile, { input: { bio: 'x'.repeat(bioMax + 1) } }), 'input.bio'],
  ] as const) {
    expect(refusal.extensions).toMatchObject({ code: 'BAD_INPUT', argument })
  }
  const animals = [...'🐵🐶🐺🦊🐱🦁🐯🐴🦄🐮🐷🐭🐹🐰🐻🐨🐼🐔🐧🐦🐸'].slice(0, limits.emojiOnMessageMax + 1)
  const { id: messageId } = sent.sendMessage.message
  for (const emoji of animals.slice(0, -1)) await alice.run(AddReaction, { input: { messageId, emoji } })
  const one = { input: { messageId, emoji: animals.at(-1) ?? '' } }
  expect((await alice.refused(AddReaction, one)).extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', argument: 'input.emoji' })
})
