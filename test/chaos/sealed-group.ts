// The encrypted group of a chaos run: five devices of four people, who talk, are added and are removed, while everything
// breaks. Each change of members needs a commit, which any of the devices may make, so that several race for each epoch.

import { setTimeout as delay } from 'node:timers/promises'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { parseId } from '../../src/id.ts'
import { LogIn, SignUp } from '../support/documents.ts'
import type { Random } from '../support/random.ts'
import { Add, GroupMembers, NewGroup, Remove } from './documents.ts'
import { ask, type Endpoint, type Outcome } from './endpoint.ts'
import type { RunRecord } from './record.ts'
import { SealedDevice, type SealedUser } from './sealed-device.ts'
import { titleOf } from './stored-state.ts'

const people = 4
const settleMs = 60_000
const password = 'correct horse battery staple'
/** What must have happened in a run, by its name in the record. */
export const sealedEvents = ['sealed added', 'sealed removed', 'sealed texts sent'] as const

type Endpoints = readonly [Endpoint, ...Endpoint[]]
type Options = {
  readonly endpoints: Endpoints
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  readonly random: Random
  readonly record: RunRecord
}

/** The group with its devices. Its owner stays. */
export class SealedGroup {
  readonly id: string
  readonly devices: readonly SealedDevice[]
  readonly #options: Options
  readonly #owner: SealedUser
  readonly #others: readonly SealedUser[]
  /** The people who are members, by the last answer. */
  readonly #members: Set<SealedUser>
  #sent = 0

  private constructor(id: string, users: readonly [SealedUser, ...SealedUser[]], devices: SealedDevice[], options: Options) {
    const [owner, ...others] = users
    this.id = id
    this.devices = devices
    this.#options = options
    this.#owner = owner
    this.#others = others
    this.#members = new Set(users)
  }

  /** Signs the people up, and makes the group. Nothing may be broken yet. */
  static async open(options: Options): Promise<SealedGroup> {
    const { endpoints, url, record } = options
    const users: SealedUser[] = []
    for (let i = 1; i <= people; i += 1) {
      const input = { username: `sealed-${i}`, password, displayName: `Sealed ${i}`, deviceName: 'First' }
      const { signUp } = await answered(ask(endpoints[0], SignUp, { input }, null))
      const { id } = signUp.viewer
      users.push({ id, userId: parseId('User', id, 'id'), accessToken: signUp.accessToken })
    }
    const [owner, ...others] = users
    if (!owner) throw new Error('nobody has signed up')
    const { logIn } = await answered(
      ask(endpoints[0], LogIn, { input: { username: 'sealed-2', password, deviceName: 'Second' } }, null),
    )
    const second = { ...(others[0] ?? owner), accessToken: logIn.accessToken }
    const fetch = counting(options.fetch, record)
    const devices = [...users, second].map((user, i) => new SealedDevice(`sealed device ${i + 1}`, user, url, fetch, record))
    const memberIds = others.map(({ id }) => id)
    const input = { title: titleOf('Sealed', 'ALL'), historyVisibility: 'ALL' as const, encryption: 'MLS' as const, memberIds }
    try {
      for (const device of devices) await device.begin()
      const { createGroup } = await answered(ask(endpoints[0], NewGroup, { input }, owner.accessToken))
      return new SealedGroup(createGroup.conversation.id, [owner, ...others], devices, options)
    } catch (error) {
      await Promise.all(devices.map((device) => device.close()))
      throw error
    }
  }

  /** What has not happened yet, and must. */
  get pending(): readonly string[] {
    return sealedEvents.filter((what) => this.#options.record.of(what) === 0)
  }

  /** Does something after each pause, until the run is over. */
  async run(thinkMs: number, isOver: () => boolean): Promise<void> {
    const { random } = this.#options
    while (!isOver()) {
      await delay(random.whole(0, 2 * thinkMs))
      if (random.chance(this.pending.length > 0 ? 0.4 : 0.15)) await this.#change()
      else await this.#say()
    }
  }

  /** After the repairs: everything is sent or refused, and the devices of all members agree on the keys. */
  async settle(): Promise<void> {
    for (const deadline = Date.now() + settleMs; ; ) {
      const state = await this.#unsettled()
      if (state === null) return
      if (Date.now() > deadline) return this.#options.record.violation(`the encrypted group does not settle: ${state}`)
      await delay(50)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()))
  }

  async #say(): Promise<void> {
    const { random } = this.#options
    const device = this.devices[random.whole(0, this.devices.length - 1)]
    this.#sent += 1
    // Sometimes one who was removed tries it, too.
    const isMember = [...this.#members].some(({ id }) => id === device?.user.id)
    if (device && (isMember || random.chance(0.05))) await device.say(this.id, `sealed ${this.#sent}`)
  }

  async #change(): Promise<void> {
    const { random } = this.#options
    const user = this.#others[random.whole(0, this.#others.length - 1)]
    if (!user) return
    const conversationId = this.id
    if (!this.#members.has(user)) {
      if (await this.#do('added', Add, { conversationId, userIds: [user.id] })) this.#members.add(user)
    } else if (await this.#do('removed', Remove, { conversationId, userId: user.id })) this.#members.delete(user)
  }

  /** @returns whether it was answered: after a lost answer or the refusal of a repeat, the members are read again */
  async #do<Data, Input>(what: string, document: TypedDocumentNode<Data, { input: Input }>, input: Input): Promise<boolean> {
    const { endpoints, random, record } = this.#options
    const { status } = await ask(random.one(endpoints), document, { input }, this.#owner.accessToken)
    if (status === 'answered') record.count(`sealed ${what}`)
    else await this.#reread()
    return status === 'answered'
  }

  async #reread(): Promise<void> {
    const ids = await this.#memberIds()
    if (!ids) return
    this.#members.clear()
    for (const user of [this.#owner, ...this.#others]) if (ids.has(user.id)) this.#members.add(user)
  }

  async #memberIds(): Promise<ReadonlySet<string> | null> {
    const { endpoints, random } = this.#options
    const outcome = await ask(random.one(endpoints), GroupMembers, { id: this.id }, this.#owner.accessToken)
    if (outcome.status !== 'answered') return null
    return new Set((outcome.data.conversation?.members.nodes ?? []).flatMap((member) => (member ? [member.user.id] : [])))
  }

  /** What is not settled; null if everything is. */
  async #unsettled(): Promise<string | null> {
    const unsent = this.devices
      .filter(({ unsettled }) => unsettled > 0)
      .map(({ name, unsettled }) => `${name} sends ${unsettled}`)
    if (unsent.length > 0) return unsent.join(', ')
    const ids = await this.#memberIds()
    if (!ids) return 'the members are not known'
    const due = this.devices.filter(({ user }) => ids.has(user.id))
    const states = await Promise.all(
      due.map(async ({ encryption, name }) => {
        const [epoch, devices] = [await encryption.epoch(this.id), await encryption.devicesIn(this.id)]
        return { name, ...epoch, devices: devices.length }
      }),
    )
    const isAgreed =
      new Set(states.map(({ authenticator }) => authenticator ?? null)).size === 1 &&
      states.every(({ authenticator, devices }) => authenticator !== undefined && devices === due.length)
    return isAgreed ? null : JSON.stringify(states)
  }
}

/** Counts the commits that came too late. */
function counting(fetch: typeof globalThis.fetch, record: RunRecord): typeof globalThis.fetch {
  return async (to, init) => {
    const response = await fetch(to, init)
    const body = (await response.text()) || null
    if (body?.includes('"EPOCH_CONFLICT"')) record.count('sealed races')
    return new Response(body, response)
  }
}

async function answered<Data>(asking: Promise<Outcome<Data>>): Promise<Data> {
  const outcome = await asking
  if (outcome.status !== 'answered') throw new Error(`the group could not be made: ${JSON.stringify(outcome)}`)
  return outcome.data
}
