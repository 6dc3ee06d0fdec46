// Keeps the groups of a user in order: this device joins those that it belongs to, and makes the commits that joins, departures and
// removed devices require. Any member may make them; a random delay lets one be first, and the others find nothing to do.

import { failureOf, ParleyFailure } from '../failure.ts'
import type { GroupStateQuery } from '../generated/operations.ts'
import { backOffMs } from '../pause.ts'
import type { Ask } from '../store/ask.ts'
import { fromBase64, toBase64 } from './bytes.ts'
import type { DeviceDirectory } from './directory.ts'
import { ClaimKeyPackages, CommitEpoch, GroupInfo, GroupState } from './documents.ts'
import { EncryptedGroup, type GroupCommit } from './group.ts'
import type { DeviceTrust, GroupDevice, OwnDevice } from './identity.ts'
import { deviceOfKeyPackage } from './key-packages.ts'
import { epochOfGroupInfo } from './mls-messages.ts'
import { own, type StoredCommit } from './storage.ts'
import type { EncryptionVault, KnownGroup } from './vault.ts'

type ServerGroup = NonNullable<GroupStateQuery['conversation']>
/** Devices by id. */
type Devices = ReadonlyMap<string, GroupDevice>

/** What a keeper needs of the engine. */
export type KeeperHost = {
  readonly ask: Ask
  readonly vault: EncryptionVault
  readonly device: OwnDevice
  readonly directory: DeviceDirectory
  readonly trust: DeviceTrust
  /** The most that a commit waits for another device to make it, in milliseconds. */
  readonly jitterMs: number
  /** Whether the facts so far are applied. Before that, a Welcome may still be on its way. */
  isLive(): boolean
  /** Looks after a conversation later, when they are. */
  wait(conversationId: string): void
  failed(failure: ParleyFailure): void
}

/** How many users' key packages are claimed at once, and how many Welcomes a commit has at most. */
const usersAtOnce = 50
const welcomesMax = 200
/** What a device takes in the tree of a group, in bytes; and what the trees in the Welcomes of one commit may take together. */
const leafBytes = 300
const treesMax = 60_000
/** After so many refusals in a row that no wait helps, a conversation waits for its next fact. */
const refusalsMax = 5
const retry = { firstMs: 500, maxMs: 30_000 } as const

/** Keeps groups in order. */
export class GroupKeeper {
  readonly #host: KeeperHost
  readonly #waiting = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #attempts = new Map<string, number>()
  #last: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(host: KeeperHost) {
    this.#host = host
  }

  /** Looks after a conversation soon. @param isOwn whether this device has caused it: then it does not wait for others */
  stir(conversationId: string, isOwn = false): void {
    this.#schedule(conversationId, isOwn ? 0 : Math.random() * this.#host.jitterMs, isOwn)
  }

  /** Looks after a conversation now. Resolves when that is done, or has failed and is scheduled again. */
  tend(conversationId: string): Promise<void> {
    clearTimeout(this.#waiting.get(conversationId))
    this.#waiting.delete(conversationId)
    this.#last = this.#last.then(() => this.#tend(conversationId))
    return this.#last
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#waiting.values()) clearTimeout(timer)
    this.#waiting.clear()
    await this.#last
  }

  #schedule(conversationId: string, ms: number, replaces: boolean): void {
    if (this.#isClosed || (this.#waiting.has(conversationId) && !replaces)) return
    clearTimeout(this.#waiting.get(conversationId))
    this.#waiting.set(
      conversationId,
      setTimeout(() => void this.tend(conversationId), ms),
    )
  }

  async #tend(conversationId: string): Promise<void> {
    if (this.#isClosed) return
    try {
      if (!this.#host.isLive()) return this.#host.wait(conversationId)
      await this.#bring(conversationId)
      this.#attempts.delete(conversationId)
    } catch (error) {
      const failure = failureOf(error)
      const attempt = this.#attempts.get(conversationId) ?? 0
      this.#attempts.set(conversationId, attempt + 1)
      // Another commit came first: its fact is on its way, and stirs this conversation.
      const isRace = failure.code === 'EPOCH_CONFLICT'
      if (!isRace) this.#host.failed(failure)
      // Something else than time has to change: the next fact of the conversation tries again.
      if (!isRace && !failure.isRetryable && attempt >= refusalsMax) return
      const waitMs = (failure.retryAfterMs ?? 0) + backOffMs(attempt, retry) + Math.random() * this.#host.jitterMs
      this.#schedule(conversationId, waitMs, true)
    }
  }

  /** Makes one commit at most. Its fact stirs the conversation again, until nothing is left to do. */
  async #bring(conversationId: string): Promise<void> {
    const { server, devices } = await this.#read(conversationId)
    if (server?.encryption !== 'MLS' || !devices.has(this.#host.device.deviceId)) return
    const made = await this.#host.vault.exclusive(async () => {
      const known = await this.#host.vault.group(conversationId)
      const { pending } = known.stored
      // Before the answer came, the app was closed: the same commit again has the same result.
      if (pending) return pending
      const commit = await this.#make(conversationId, known, server, devices)
      if (!commit) return null
      const stored = { ...storedCommit(commit, server.epoch ?? 0), seen: await this.#seen() }
      await this.#host.vault.write([this.#host.vault.changeOf(conversationId, known.group, { ...known.stored, pending: stored })])
      return stored
    })
    if (made) await this.#submit(conversationId, made)
  }

  async #make(conversationId: string, { group }: KnownGroup, server: ServerGroup, devices: Devices): Promise<GroupCommit | null> {
    const { device, trust } = this.#host
    if (!group && server.epoch === 0) {
      return this.#change(await EncryptedGroup.create(conversationId, device, trust), devices, true)
    }
    if (!group) return this.#joinAgain(conversationId, server)
    // Facts are missing. The last of them stirs this conversation.
    if (group.epoch !== server.epoch) return null
    return this.#change(group, devices, server.needsRekey)
  }

  async #joinAgain(conversationId: string, server: ServerGroup): Promise<GroupCommit | null> {
    const { data } = await this.#host.ask(GroupInfo, { id: conversationId })
    const groupInfo = data.conversation?.groupInfo
    if (groupInfo == null) return null
    const bytes = fromBase64(groupInfo)
    if (epochOfGroupInfo(bytes) !== server.epoch) throw conflict()
    const commit = await EncryptedGroup.joinExternally(bytes, this.#host.device, this.#host.trust)
    if (commit.next.conversationId !== conversationId)
      throw new ParleyFailure('ENCRYPTION_FAILED', 'The GroupInfo is of another group.', false)
    return commit
  }

  /** The commit that makes the devices of a group those of its members; null if they are. */
  async #change(group: EncryptedGroup, devices: Devices, isNeeded: boolean): Promise<GroupCommit | null> {
    const present = new Set(group.devices.map(({ deviceId }) => deviceId))
    const remove = [...present].filter((deviceId) => !devices.has(deviceId))
    const missing = [...devices.values()].filter(({ deviceId }) => !present.has(deviceId))
    const add = await this.#claim(missing.slice(0, welcomesMax))
    if (add.length === 0 && remove.length === 0 && !isNeeded) return null
    const treeBytes = (present.size + add.length) * leafBytes
    return group.commit({ add, remove }, add.length * treeBytes <= treesMax)
  }

  /** Key packages of devices. Those without one are left out: they join by themselves. */
  async #claim(missing: readonly GroupDevice[]): Promise<readonly Uint8Array[]> {
    const wanted = new Map(missing.map((device) => [device.deviceId, device]))
    const userIds = [...new Set(missing.map(({ userId }) => userId))]
    const found: Uint8Array[] = []
    for (let at = 0; at < userIds.length; at += usersAtOnce) {
      const { data } = await this.#host.ask(ClaimKeyPackages, { input: { userIds: userIds.slice(at, at + usersAtOnce) } })
      for (const { keyPackage } of data.claimKeyPackages.keyPackages) {
        const bytes = fromBase64(keyPackage)
        const device = await deviceOfKeyPackage(bytes)
        const isWanted = device && wanted.get(device.deviceId)?.userId === device.userId
        // One that is not of the listed key would spoil the whole commit.
        if (isWanted && (await this.#host.trust(device))) found.push(bytes)
        if (isWanted) wanted.delete(device.deviceId)
      }
    }
    return found
  }

  async #submit(conversationId: string, { epoch, commit, welcomes, groupInfo, seen }: StoredCommit): Promise<void> {
    const input = {
      ...{ conversationId, epoch, seen },
      commit: toBase64(commit),
      welcomes: welcomes.map(({ deviceId, welcome }) => ({ deviceId, welcome: toBase64(welcome) })),
      groupInfo: toBase64(groupInfo),
    }
    try {
      await this.#host.ask(CommitEpoch, { input })
    } catch (error) {
      const failure = failureOf(error)
      if (!failure.isRetryable || failure.code === 'EPOCH_CONFLICT') await this.#drop(conversationId, commit)
      throw failure
    }
  }

  /** Forgets a commit that the server has refused. */
  async #drop(conversationId: string, commit: Uint8Array): Promise<void> {
    const { vault } = this.#host
    await vault.exclusive(async () => {
      const { group, stored } = await vault.group(conversationId)
      if (!stored.pending || toBase64(stored.pending.commit) !== toBase64(commit)) return
      await vault.write([vault.changeOf(conversationId, group, { ...stored, pending: null })])
    })
  }

  async #seen(): Promise<string | null> {
    return this.#host.vault.storage.get('cursor', own)
  }

  /** The server's state of a conversation, and the devices that belong into its group. */
  async #read(conversationId: string): Promise<{ server: ServerGroup | null; devices: Devices }> {
    const userIds: string[] = []
    let server: ServerGroup | null = null
    for (let after: string | null = null; ; ) {
      const { data }: { data: GroupStateQuery } = await this.#host.ask(GroupState, { id: conversationId, after })
      server = data.conversation ?? null
      if (!server) return { server, devices: new Map() }
      userIds.push(...server.members.nodes.map(({ user }) => user.id))
      if (!server.members.pageInfo.hasNextPage) break
      after = server.members.pageInfo.endCursor ?? null
    }
    const listed = [...(await this.#host.directory.load(userIds)).values()].flat()
    const active = listed.filter(({ removedAt }) => removedAt === null)
    return { server, devices: new Map(active.map((device) => [device.deviceId, device])) }
  }
}

const conflict = () => new ParleyFailure('EPOCH_CONFLICT', 'The conversation has moved on.', true)

const storedCommit = ({ commit, welcomes, groupInfo, next }: GroupCommit, epoch: number) => ({
  ...{ epoch, commit, welcomes, groupInfo },
  next: next.bytes(),
})
