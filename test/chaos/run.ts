// A chaos run from its beginning to its table: people who do everything at once on three real nodes while nodes, Redis,
// Postgres and sockets are killed, frozen and cut; then all is mended, and the judge looks.

import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { Random } from '../journal/random.ts'
import { SignUp, StartDirectConversation } from '../support/documents.ts'
import { visibilities } from './acts.ts'
import { Balancer, namingWires } from './balancer.ts'
import { Device } from './device.ts'
import { Found } from './documents.ts'
import { ask, type Door, type Outcome } from './door.ts'
import { titleOf } from './history.ts'
import { judge } from './judge.ts'
import { verdicts } from './oracle.ts'
import { Person } from './person.ts'
import { checkPresence } from './presence.ts'
import { type NodeProgram, type Programs, presenceTtlMs, startPrograms, until } from './programs.ts'
import { Record } from './record.ts'
import { brew } from './weather.ts'
import { Wire } from './wire.ts'
import { Conversation, World } from './world.ts'

/** How large a run is. Everything that is drawn comes from the seed. */
export type Options = {
  readonly seed: number
  /** For how long people act and things break, in milliseconds. */
  readonly lastsMs: number
  readonly people: number
  readonly groups: number
  /** The mean pauses: of one person between two acts, and between two mishaps. */
  readonly thinkMs: number
  readonly mishapEveryMs: number
}

/** What came of it. */
export type Report = { readonly record: Record; readonly table: string }

const membersMax = 10
const mendMs = 60_000

type Doors = readonly [Door, ...Door[]]

/** Runs it. Ends in any case, and leaves nothing behind. */
export async function runChaos(options: Options): Promise<Report> {
  const record = new Record()
  const random = new Random(options.seed)
  const programs = await startPrograms(record, membersMax)
  const wires: Wire[] = []
  let balancer: Balancer | null = null
  try {
    for (const node of programs.nodes) wires.push(await Wire.open(node.port))
    const doors = programs.nodes.map(({ name }, i) => ({ name, port: wires[i]?.port ?? 0 })) as unknown as Doors
    balancer = await Balancer.open(doors, random.fork())
    return await perform(options, random, record, programs, wires, doors, balancer.url)
  } finally {
    await balancer?.close()
    await Promise.all(wires.map((wire) => wire.close()))
    await programs.stop()
  }
}

async function perform(
  options: Options,
  random: Random,
  record: Record,
  programs: Programs,
  wires: readonly Wire[],
  doors: Doors,
  url: string,
): Promise<Report> {
  const world = await populate(options, random, record, doors, url)
  const fetch = namingWires(new Map(programs.nodes.map(({ port }, i) => [port, wires[i]?.port ?? port])))
  const devices = world.people.flatMap((person, i) =>
    Array.from(
      { length: random.whole(1, 3) },
      (_, d) =>
        new Device(`device ${i + 1}.${d + 1}`, person.userId, person.accessToken, doors, url, fetch, random.fork(), record),
    ),
  )
  record.count('people', world.people.length)
  record.count('devices', devices.length)
  const following = devices.map((device) => device.run())
  try {
    await until('every device to have begun', mendMs, () => devices.every(({ position }) => position >= 0))
    let isOver = false
    const weather = brew(programs, wires, random.fork(), record, options.mishapEveryMs, options.lastsMs).finally(() => {
      isOver = true
    })
    await Promise.all([weather, ...world.people.map((person) => person.run(options.thinkMs, () => isOver))])
    return await finish(options, record, programs, devices, world, doors)
  } finally {
    for (const device of devices) device.stop()
    await Promise.all([...following, ...world.people.map((person) => person.close())])
  }
}

/** Makes the people, and the groups and pairs that they begin with. */
async function populate(options: Options, random: Random, record: Record, doors: Doors, url: string): Promise<World> {
  const world = new World()
  for (let i = 1; i <= options.people; i += 1) {
    const input = {
      username: `person-${i}`,
      password: 'correct horse battery staple',
      displayName: `Person ${i}`,
      deviceName: 'All',
    }
    const { signUp } = await answered(ask(doors[0], SignUp, { input }, null))
    world.people.push(new Person(signUp.viewer.id, signUp.accessToken, world, doors, url, random.fork(), record))
  }
  const draw = () => world.people[random.whole(0, world.people.length - 1)] as Person
  for (let i = 1; i <= options.groups; i += 1) {
    const owner = draw()
    const members = new Set(Array.from({ length: random.whole(2, membersMax - 3) }, draw).filter((person) => person !== owner))
    const historyVisibility = random.one(visibilities)
    const title = titleOf(`Group ${i}`, historyVisibility)
    const input = { title, historyVisibility, memberIds: [...members].map(({ id }) => id) }
    const { createGroup } = await answered(ask(doors[0], Found, { input }, owner.accessToken))
    world.believe(createGroup.conversation)
  }
  for (const [i, person] of world.people.entries()) {
    const other = world.people[(i + 1) % world.people.length]
    if (!other || other === person) continue
    const { startDirectConversation } = await answered(
      ask(doors[0], StartDirectConversation, { input: { userId: other.id } }, person.accessToken),
    )
    const conversation = new Conversation(startDirectConversation.conversation.id, false)
    conversation.members.add(person).add(other)
    world.conversations.push(conversation)
  }
  return world
}

async function answered<Data>(asking: Promise<Outcome<Data>>): Promise<Data> {
  const outcome = await asking
  if (outcome.status !== 'answered') throw new Error(`the run could not be prepared: ${JSON.stringify(outcome)}`)
  return outcome.data
}

/** All is mended: every device has to come as far as the journal; then the judge looks, and the nodes are asked to end. */
async function finish(
  options: Options,
  record: Record,
  { postgres, nodes }: Programs,
  devices: readonly Device[],
  { people }: World,
  doors: Doors,
): Promise<Report> {
  const sql = new pg.Client({ connectionString: postgres.url })
  sql.on('error', () => undefined)
  await sql.connect()
  try {
    const { rows } = await sql.query<{ head: string }>('select max(position) as head from fact')
    const end = Number(rows[0]?.head)
    const limit = Date.now() + mendMs
    while (Date.now() < limit && devices.some(({ position }) => position < end)) await delay(50)
    for (const { name, position } of devices) {
      if (position < end) record.fault(`D3 ${name} has come to ${position} of ${end}, and no further`)
    }
    await checkPresence(people, devices, doors, presenceTtlMs, record)
    for (const device of devices) device.stop()
    await until('every device to have a last look', mendMs, async () => {
      const looks = await Promise.all(devices.map((device) => device.look()))
      return looks.every((could) => could)
    })
    const judgement = await judge(sql, devices, record, end)
    await Promise.all(nodes.map((node) => endWell(node, record)))
    return { record, table: tableOf(options, record, judgement) }
  } finally {
    await sql.end()
  }
}

async function endWell(node: NodeProgram, record: Record): Promise<void> {
  const code = await node.end('SIGTERM')
  if (code !== 0) record.fault(`D9 ${node.name} ended with ${code} when it was asked to:\n${node.tail}`)
}

function tableOf(options: Options, record: Record, { flaws, deliveries, facts }: Awaited<ReturnType<typeof judge>>): string {
  const n = (what: string) => record.of(what)
  const rows: [string, string | number][] = [
    ['seed', options.seed],
    ['minutes under load', Math.round(options.lastsMs / 6_000) / 10],
    ['people, devices', `${n('people')}, ${n('devices')}`],
    ['facts', facts],
    ['sends acknowledged', n('sends acknowledged')],
    ['deliveries checked', deliveries],
    ['snapshots checked', record.snapshots.length],
    ['facts hidden from newcomers', n('facts hidden')],
    [
      'entered by invite, roles given, pins, settings',
      `${n('enter answered')}, ${n('role answered') + n('hand over answered')}, ${n('pin answered')}, ${n('set visibility answered')}`,
    ],
    ['streams resumed', n('streams RESUMED')],
    ['messages sent by the outbox', n('outbox sent')],
    ['presence checked', n('presence checked')],
    ['nodes killed, restarted, frozen', `${n('node killed')}, ${n('node restarted')}, ${n('node frozen')}`],
    [
      'Redis killed, frozen, emptied, listeners cut',
      `${n('Redis killed')}, ${n('Redis frozen')}, ${n('Redis emptied')}, ${n('Redis listeners cut')}`,
    ],
    ['Postgres restarted, at once', `${n('Postgres restarted')}, ${n('Postgres restarted at once')}`],
    ['sockets cut, readers slowed', `${n('sockets cut')}, ${n('readers slowed')}`],
    ['copies, dropped answers', `${n('copies')}, ${n('dropped answers')}`],
    ['RESET', n('streams RESET')],
    ['acknowledged sends lost', n('sends lost')],
    ...verdicts.map((verdict): [string, number] => [`deliveries ${verdict}`, flaws[verdict]]),
    ['faults in all', record.faultCount],
  ]
  return ['| What | How much |', '|---|---|', ...rows.map(([what, much]) => `| ${what} | ${much} |`)].join('\n')
}
