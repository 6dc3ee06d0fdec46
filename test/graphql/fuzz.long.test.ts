// Operations drawn from the schema, sent by several users: no answer has what its user may not see, none is INTERNAL, and the node
// goes on as before.

import { beforeAll, describe, expect, test } from 'vitest'
import { schema } from '../../src/schema.ts'
import { CreateGroupWith } from '../conversation/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, RemoveMember } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { type Random, withSeed } from '../support/random.ts'
import { OperationGenerator } from './operation-generator.ts'

/** Texts that only some may see. */
const secrets = {
  title: 'canary-title',
  old: 'canary-old',
  middle: 'canary-middle',
  fresh: 'canary-new',
  direct: 'canary-direct',
} as const
type Secret = keyof typeof secrets

let node: Node
let people: Record<'owner' | 'member' | 'newcomer' | 'removed' | 'stranger', Device>
let ids: string[]

/** What each of them must never see. */
const hidden: Readonly<Record<keyof typeof people, readonly Secret[]>> = {
  owner: [],
  member: [],
  newcomer: ['old', 'middle', 'direct'],
  removed: ['title', 'old', 'middle', 'fresh', 'direct'],
  stranger: ['title', 'old', 'middle', 'fresh', 'direct'],
}

beforeAll(async () => {
  node = await openNode({ PARLEY_OPERATIONS_PER_USER_MAX: '100' })
  const devices = await signUpAll(node, 'Olga', 'Mona', 'Nora', 'Rita', 'Stella')
  const [owner, member, newcomer, removed, stranger] = devices as [Device, Device, Device, Device, Device]
  people = { owner, member, newcomer, removed, stranger }
  const memberIds = [member.userId, removed.userId]
  const settings = { title: secrets.title, memberIds, historyVisibility: 'SINCE_JOINING' as const }
  const conversationId = (await owner.run(CreateGroupWith, { input: settings })).createGroup.conversation.id
  const old = (await owner.send(conversationId, secrets.old)).message.id
  await owner.run(RemoveMember, { input: { conversationId, userId: removed.userId } })
  const middle = (await member.send(conversationId, secrets.middle)).message.id
  await owner.run(AddMembers, { input: { conversationId, userIds: [newcomer.userId] } })
  const fresh = (await owner.send(conversationId, secrets.fresh)).message.id
  const direct = await owner.direct(member)
  const between = (await owner.send(direct, secrets.direct)).message.id
  const users = devices.map(({ userId }) => userId)
  ids = [
    conversationId,
    direct,
    old,
    middle,
    fresh,
    between,
    ...users,
    owner.sessionId,
    member.sessionId,
    'cnv_zzzzzzzzzzzzz',
    'nonsense',
  ]
})

async function send(who: Device, query: string, variables: object): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${who.accessToken}` }
  const answer = await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
  return answer.text()
}

/** Mutations that end the session or the account of who sends them, or need a password. */
const leftOut =
  /^(signUp|logIn|logOut|refreshSession|changePassword|deleteAccount|renewConnection|revokeSession|revokeOtherSessions|sendTestNotification)$/
const mutations = Object.keys(schema.getMutationType()?.getFields() ?? {}).filter((name) => !leftOut.test(name))

async function attack(random: Random, kind: keyof typeof people, times: number, draw: (generator: OperationGenerator) => string) {
  let answered = 0
  for (let n = 0; n < times; n += 1) {
    const generator = new OperationGenerator(() => random.fraction(), ids, random.chance(0.5))
    const query = draw(generator)
    const text = await send(people[kind], query, generator.variables)
    const what = `${query} ${JSON.stringify(generator.variables)}`
    expect(text, what).not.toContain('"INTERNAL"')
    for (const secret of hidden[kind]) expect(text, `${kind}: ${what}`).not.toContain(secrets[secret])
    if (text.includes('"data":{')) answered += 1
  }
  return answered
}

describe.each(['newcomer', 'removed', 'stranger', 'member'] as const)('%s', (kind) => {
  test('queries whatever the schema allows, and sees nothing hidden', () =>
    withSeed(async (random) => {
      // Some must be answered, or the test proves nothing.
      expect(await attack(random, kind, 60, (generator) => generator.query())).toBeGreaterThan(5)
    }))
})

describe.each(['newcomer', 'removed', 'stranger'] as const)('%s', (kind) => {
  test('changes whatever the schema allows, and sees nothing hidden', () =>
    withSeed(async (random) => {
      expect(await attack(random, kind, 80, (generator) => generator.mutation(mutations))).toBeGreaterThan(1)
    }))
})

test('members can see what the others could not, and go on', async () => {
  const query = '{ conversations(first: 50) { nodes { title messages(first: 50) { nodes { text } } } } }'
  for (const who of [people.owner, people.member]) {
    const text = await send(who, query, {})
    for (const secret of Object.values(secrets)) expect(text).toContain(secret)
  }
})
