// Encryption: what a send and a commit cost at 2, 20 and 100 devices, beside the plain path. The server's share is measured with real
// ciphertexts; the devices' share is that of one process of Node with the client library's groups.

import { EncryptedGroup, type GroupCommit } from '../../client/src/e2ee/group.ts'
import { newSignatureKeys, type OwnDevice, signWith } from '../../client/src/e2ee/identity.ts'
import { newKeyPackage } from '../../client/src/e2ee/key-packages.ts'
import { stopChildren } from '../kit/child.ts'
import { sendMessage } from '../kit/documents.ts'
import { textOf } from '../kit/fact.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { ask, createGroup, createPeople, type Node, type Person, startNode } from '../kit/node.ts'
import { Operations } from '../kit/operations.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'

const sizes = [2, 20, 100] as const
const full = { sends: 500, commits: 20, rounds: 5 }
const small = { sends: 20, commits: 2, rounds: 2 }
type Scale = typeof full

const startEncrypted = 'mutation G($input: CreateGroupInput!) { createGroup(input: $input) { conversation { id } } }'
const register = 'mutation R($input: RegisterDeviceInput!) { registerDevice(input: $input) { device { id } } }'
const commitEpoch = 'mutation C($input: CommitEpochInput!) { commitEpoch(input: $input) { cursor } }'

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const trusted = async () => true

/** The cost of one operation: CPU of the server in microseconds, time of the devices in milliseconds, and bytes over the wire. */
type Cost = { readonly micros: number; readonly makeMs: number; readonly applyMs: number; readonly bytes: number }
type Name = 'plain' | 'encrypted' | 'commit'
const titles: Record<Name, string> = { plain: 'a plain send', encrypted: 'an encrypted send', commit: 'a commit' }

/** Conversations of one size: a plain one, and an encrypted one with the groups of two of its devices. */
type Room = {
  readonly sender: Operations
  readonly plainId: string
  readonly encryptedId: string
  writer: EncryptedGroup
  reader: EncryptedGroup
}

async function enter(node: Node, person: Person): Promise<OwnDevice> {
  const keys = await newSignatureKeys()
  const signatureKey = base64(keys.publicKey)
  const text = ['parley.device.register.v1', person.id, signatureKey].join('\n')
  const signature = base64(await signWith(keys, new TextEncoder().encode(text)))
  const input = { name: 'Bench', signatureKey, signature }
  type Answer = { readonly registerDevice: { readonly device: { readonly id: string } } }
  const { registerDevice } = await ask<Answer>(node.url, register, { input }, person.tokens[0] ?? '')
  return { userId: person.id, deviceId: registerDevice.device.id, keys }
}

async function openRoom(node: Node, size: number): Promise<Room> {
  const people = await createPeople(node.databaseUrl, size)
  const [owner, ...others] = people
  if (!owner) throw new Error('no people')
  const plain = await createGroup(node, `Plain ${size}`, people)
  const input = { title: `Encrypted ${size}`, memberIds: others.map(({ id }) => id), encryption: 'MLS' }
  type Answer = { readonly createGroup: { readonly conversation: { readonly id: string } } }
  const made = await ask<Answer>(node.url, startEncrypted, { input }, owner.tokens[0] ?? '')
  const encryptedId = made.createGroup.conversation.id
  const devices: OwnDevice[] = []
  for (const person of people) devices.push(await enter(node, person))
  const [first, ...rest] = devices
  if (!first) throw new Error('no devices')
  const packages = await Promise.all(rest.map((device) => newKeyPackage(device)))
  const group = await EncryptedGroup.create(encryptedId, first, trusted)
  const commit = await group.commit({ add: packages.map(({ keyPackage }) => keyPackage), remove: [] })
  const sender = await Operations.open(node.socketUrl, owner.tokens[0])
  // Without the Welcomes: the devices of the others only fill the group.
  await accept(sender, encryptedId, 0, commit)
  const [welcome, own, device] = [commit.welcomes[0]?.welcome, packages[0], rest[0]]
  if (!welcome || !own || !device) throw new Error('nobody to read')
  const reader = await EncryptedGroup.join(welcome, own, device, trusted)
  return { sender, plainId: plain.id, encryptedId, writer: commit.next, reader }
}

const accept = (sender: Operations, conversationId: string, epoch: number, { commit, groupInfo }: GroupCommit) =>
  sender.ask(commitEpoch, { input: { conversationId, epoch, commit: base64(commit), groupInfo: base64(groupInfo) } })

/** Adds up the time of some work. */
function clock() {
  let ms = 0
  return {
    async time<T>(work: () => Promise<T>): Promise<T> {
      const begun = performance.now()
      const result = await work()
      ms += performance.now() - begun
      return result
    },
    each: (count: number) => ms / count,
  }
}

async function measure(node: Node, room: Room, name: Name, scale: Scale): Promise<Cost> {
  const [making, applying] = [clock(), clock()]
  const count = name === 'commit' ? scale.commits : scale.sends
  let bytes = 0
  const before = await node.call('cpu')
  for (let index = 0; index < count; index += 1) {
    const clientMessageId = uuidv7()
    const text = textOf(`${index}`)
    if (name === 'plain') {
      bytes += text.length
      await room.sender.ask(sendMessage, { input: { conversationId: room.plainId, clientMessageId, text } })
    } else if (name === 'encrypted') {
      const epoch = room.writer.epoch
      const made = await making.time(() => room.writer.encrypt(clientMessageId, new TextEncoder().encode(text)))
      room.writer = made.next
      const ciphertext = base64(made.ciphertext)
      bytes += ciphertext.length
      await room.sender.ask(sendMessage, { input: { conversationId: room.encryptedId, clientMessageId, ciphertext, epoch } })
      const header = { conversationId: room.encryptedId, epoch, clientMessageId }
      room.reader = (await applying.time(() => room.reader.decrypt(header, made.ciphertext))).next
    } else {
      const made = await making.time(() => room.writer.commit({ add: [], remove: [] }))
      await accept(room.sender, room.encryptedId, room.writer.epoch, made)
      bytes += ((made.commit.length + made.groupInfo.length) * 4) / 3
      const next = await applying.time(() => room.reader.process(made.commit))
      if (!next) throw new Error('the commit removed its reader')
      room.writer = made.next.after(room.writer)
      room.reader = next
    }
  }
  const micros = ((await node.call('cpu')) - before) / count
  return { micros, makeMs: making.each(count), applyMs: applying.each(count), bytes: bytes / count }
}

/** The results with one number of devices. */
type AtSize = { readonly rows: string[][]; readonly figures: Result['figures'] }

async function runSize(setting: Setting, node: Node, size: number, scale: Scale): Promise<AtSize> {
  const room = await openRoom(node, size)
  const names: readonly Name[] = ['plain', 'encrypted', 'commit']
  // The first commit after so many joins is long: the tree has no keys yet.
  for (const name of names) await measure(node, room, name, { ...scale, sends: 20, commits: 1 })
  const measured = await inRounds(scale.rounds, names, (name) => measure(node, room, name, scale))
  setting.say(`  ${size} devices`)
  const medianOf = (name: Name, of: keyof Cost) => median(measured[name].map((cost) => cost[of]))
  const ofPlain = (name: Name) =>
    measured[name].map(({ micros }, round) => micros / (measured.plain[round]?.micros ?? Number.NaN))
  const rows = names.map((name) => [
    number(size),
    titles[name],
    number(medianOf(name, 'micros')),
    times(median(ofPlain(name))),
    name === 'plain' ? '' : number(medianOf(name, 'makeMs'), 1),
    name === 'plain' ? '' : number(medianOf(name, 'applyMs'), 1),
    number(medianOf(name, 'bytes')),
  ])
  return {
    rows,
    figures: { [`${size} devices: an encrypted send against a plain one`]: { better: 'lower', rounds: ofPlain('encrypted') } },
  }
}

export const encryption: Line = {
  name: 'encryption',
  title: 'Encryption: a send and a commit beside the plain path',
  async run(setting): Promise<Result> {
    const scale = setting.isSmall ? small : full
    const databaseUrl = await setting.backends.createDatabase('encryption')
    const node = await startNode(databaseUrl, { REDIS_URL: setting.backends.redisUrl })
    const results: AtSize[] = []
    for (const size of sizes) results.push(await runSize(setting, node, size, scale))
    await stopChildren()
    return {
      columns: ['Devices', 'Operation', 'CPU of the server, µs', 'of plain', 'made in, ms', 'applied in, ms', 'bytes'],
      rows: results.flatMap(({ rows }) => rows),
      goals: [],
      figures: Object.assign({}, ...results.map(({ figures }) => figures)) as Result['figures'],
      notes: [
        'One member sends, one after another, to a group without listeners, with one device for each member. CPU is that of the server process, user and system. *Made in* and *applied in* are the time of the sending device (encrypt, or make the commit with its GroupInfo) and of one receiving device (decrypt, or apply), in one process of Node. Bytes are those of the text, or of what replaces it in base64.',
        'A commit renews the keys of its device and adds and removes nobody.',
        `${scale.sends} sends and ${scale.commits} commits a round, ${scale.rounds} rounds.`,
      ],
    }
  },
}
