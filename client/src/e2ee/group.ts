// The group of an encrypted conversation, over ts-mls: its only user besides key packages. A group is a value: each step returns the next
// one, and the caller decides which to keep. What the app has not stored has not happened.

import {
  type ClientState,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPubAndRatchetTree,
  decodeGroupState,
  emptyPskIndex,
  encodeGroupState,
  encodeMlsMessage,
  joinGroup,
  joinGroupExternal,
  type MLSMessage,
  type Proposal,
  processPrivateMessage,
  processPublicMessage,
} from 'ts-mls'
import { ratchetTreeFromExtension } from 'ts-mls/groupInfo.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { decryptSenderData, type PrivateMessage } from 'ts-mls/privateMessage.js'
import { areEqual, bytesOf, textOfBytes, toHex } from './bytes.ts'
import { configOf, isAllowedInCommit, paddingFor } from './group-config.ts'
import type { DeviceIdentity, DeviceTrust, GroupDevice, OwnDevice } from './identity.ts'
import { decodeKeyPackageMessage, newKeyPackage, type OwnKeyPackage, partsOf } from './key-packages.ts'
import { groupInfoOf, messageOf, welcomeOf } from './mls-messages.ts'
import { decoded, encryptionFailure, step, suite } from './suite.ts'
import { deviceAt, devicesOf, leafOf } from './tree.ts'

/** What is not encrypted of a message. Nobody can change it without breaking the message. */
export type ClearHeader = { readonly conversationId: string; readonly epoch: number; readonly clientMessageId: string }

/** Which devices a commit adds and removes. With neither, it only renews the keys. */
export type DeviceChange = {
  /** Key packages, as the server has handed them out. */
  readonly add: readonly Uint8Array[]
  /** Ids of devices. */
  readonly remove: readonly string[]
}

/** A commit, before the server has accepted it. */
export type GroupCommit = {
  readonly commit: Uint8Array
  readonly welcomes: readonly { readonly deviceId: string; readonly welcome: Uint8Array }[]
  /** What a device that has lost its state joins the next epoch with. */
  readonly groupInfo: Uint8Array
  /** The group once the commit is accepted. */
  readonly next: EncryptedGroup
}

/** A decrypted message. */
export type DecryptedMessage = { readonly content: Uint8Array; readonly sender: GroupDevice; readonly next: EncryptedGroup }

const headerBytes = ({ conversationId, epoch, clientMessageId }: ClearHeader) =>
  bytesOf(['parley message 1', conversationId, epoch, clientMessageId].join('\n'))

/** The group of a conversation in one epoch, as this device knows it. */
export class EncryptedGroup {
  readonly #state: ClientState

  private constructor(state: ClientState) {
    this.#state = state
  }

  /** Makes the group of a conversation, in epoch 0 and with this device alone. */
  static async create(conversationId: string, device: OwnDevice, trust: DeviceTrust): Promise<EncryptedGroup> {
    const { keyPackage, privateKeys } = partsOf(await newKeyPackage(device), device)
    const state = await step('The group cannot be made', async () =>
      createGroup(bytesOf(conversationId), keyPackage, privateKeys, [], await suite(), configOf(trust)),
    )
    return new EncryptedGroup(state)
  }

  /** The group of `bytes`. @throws ParleyFailure `ENCRYPTION_FAILED` if they are none */
  static restore(bytes: Uint8Array, trust: DeviceTrust): EncryptedGroup {
    const state = decoded(decodeGroupState, bytes, 'The stored group cannot be read.')
    return new EncryptedGroup({ ...state, clientConfig: configOf(trust) })
  }

  /** The references of the key packages that a Welcome is for. */
  static refsOfWelcome(welcome: Uint8Array): readonly string[] {
    return welcomeOf(welcome).secrets.map(({ newMember }) => toHex(newMember))
  }

  /**
   * Joins with a Welcome and the key package that it names.
   * @param groupInfo of the same epoch, for a Welcome without the tree of the group
   */
  static async join(
    welcome: Uint8Array,
    own: OwnKeyPackage,
    device: OwnDevice,
    trust: DeviceTrust,
    groupInfo: Uint8Array | null = null,
  ): Promise<EncryptedGroup> {
    const { keyPackage, privateKeys } = partsOf(own, device)
    const tree = groupInfo ? ratchetTreeFromExtension(groupInfoOf(groupInfo)) : undefined
    const state = await step('The Welcome cannot be used', async () =>
      joinGroup(welcomeOf(welcome), keyPackage, privateKeys, emptyPskIndex, await suite(), tree, undefined, configOf(trust)),
    )
    return new EncryptedGroup(state)
  }

  /** Joins by an own commit, with a stored GroupInfo. A former leaf of this device is removed by the same commit. */
  static async joinExternally(groupInfo: Uint8Array, device: OwnDevice, trust: DeviceTrust): Promise<GroupCommit> {
    const cipherSuite = await suite()
    const info = groupInfoOf(groupInfo)
    const tree = ratchetTreeFromExtension(info) ?? []
    const isBack = devicesOf(tree).some(({ signatureKey }) => areEqual(signatureKey, device.keys.publicKey))
    const { keyPackage, privateKeys } = partsOf(await newKeyPackage(device), device)
    const { publicMessage, newState } = await step('The group cannot be joined', () =>
      joinGroupExternal(info, keyPackage, privateKeys, isBack, cipherSuite, undefined, configOf(trust)),
    )
    const next = new EncryptedGroup(newState)
    const commit = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage })
    return { commit, welcomes: [], groupInfo: await next.#groupInfo(), next }
  }

  get conversationId(): string {
    return textOfBytes(this.#state.groupContext.groupId)
  }

  get epoch(): number {
    return Number(this.#state.groupContext.epoch)
  }

  /** The devices in the group. */
  get devices(): readonly GroupDevice[] {
    return devicesOf(this.#state.ratchetTree)
  }

  /** A value that all devices in the same epoch of the same group have in common, and nobody else, in hexadecimal digits. */
  get authenticator(): string {
    return toHex(this.#state.keySchedule.epochAuthenticator)
  }

  /** The whole state, with its secrets, for `restore`. */
  bytes(): Uint8Array {
    return encodeGroupState(this.#state)
  }

  /**
   * Makes a commit. The group is in the next epoch only once the server has accepted it.
   * @param hasTree whether each Welcome carries the tree of the group; without it, the device also needs the GroupInfo of that epoch
   */
  async commit({ add, remove }: DeviceChange, hasTree = true): Promise<GroupCommit> {
    const cipherSuite = await suite()
    const packages = add.map(decodeKeyPackageMessage)
    const proposals: Proposal[] = [
      ...remove.map(
        (deviceId): Proposal => ({
          proposalType: 'remove',
          remove: { removed: leafOf(this.#state.ratchetTree, deviceId) },
        }),
      ),
      ...packages.map((keyPackage): Proposal => ({ proposalType: 'add', add: { keyPackage } })),
    ]
    const made = await step('The commit cannot be made', () =>
      createCommit({ state: this.#state, cipherSuite }, { extraProposals: proposals, ratchetTreeExtension: hasTree }),
    )
    const next = new EncryptedGroup(made.newState)
    const devices = new Map<string, string>()
    for (const keyPackage of packages) {
      const device = devicesOf([{ nodeType: 'leaf', leaf: keyPackage.leafNode }])[0]
      devices.set(toHex(await makeKeyPackageRef(keyPackage, cipherSuite.hash)), device?.deviceId ?? '')
    }
    const { welcome } = made
    // One Welcome for each device: each would otherwise carry the secrets of all.
    const welcomes = !welcome
      ? []
      : welcome.secrets.map((secret) => ({
          deviceId: devices.get(toHex(secret.newMember)) ?? '',
          welcome: encodeMlsMessage({
            version: 'mls10',
            wireformat: 'mls_welcome',
            welcome: { ...welcome, secrets: [secret] },
          }),
        }))
    return { commit: encodeMlsMessage(made.commit), welcomes, groupInfo: await next.#groupInfo(), next }
  }

  /** The group after a commit of another device; null if it removes this one. */
  async process(commit: Uint8Array): Promise<EncryptedGroup | null> {
    const message = messageOf(commit)
    const { newState } = await step('The commit cannot be applied', async () => {
      const cipherSuite = await suite()
      const allow = isAllowedInCommit
      const result =
        message.wireformat === 'mls_private_message'
          ? await processPrivateMessage(this.#state, message.privateMessage, emptyPskIndex, cipherSuite, allow)
          : await processPublicMessage(this.#state, this.#external(message), emptyPskIndex, cipherSuite, allow)
      if (!('actionTaken' in result)) throw encryptionFailure('This is a message, not a commit.')
      if (result.actionTaken === 'reject') throw encryptionFailure('The commit does what Parley does not allow.')
      return result
    })
    if (newState.groupActiveState.kind === 'removedFromGroup') return null
    if (newState.groupContext.epoch !== this.#state.groupContext.epoch + 1n) throw encryptionFailure('This is not a commit.')
    return new EncryptedGroup(newState)
  }

  /** The group after an own commit, with all that has happened in the epoch before since it was made. */
  after(base: EncryptedGroup): EncryptedGroup {
    const { secretTree, ratchetTree, groupContext, keySchedule } = base.#state
    const { senderDataSecret, resumptionPsk } = keySchedule
    const former = { secretTree, ratchetTree, groupContext, senderDataSecret, resumptionPsk }
    return new EncryptedGroup({ ...this.#state, historicalReceiverData: new Map([[groupContext.epoch, former]]) })
  }

  /** Encrypts content for the current epoch. Store `next` before the ciphertext leaves the device: a key is good for one message. */
  async encrypt(clientMessageId: string, content: Uint8Array): Promise<{ ciphertext: Uint8Array; next: EncryptedGroup }> {
    const header = headerBytes({ conversationId: this.conversationId, epoch: this.epoch, clientMessageId })
    const { clientConfig } = this.#state
    const state = { ...this.#state, clientConfig: { ...clientConfig, paddingConfig: paddingFor(content.length) } }
    const { privateMessage, newState } = await step('The message cannot be encrypted', async () =>
      createApplicationMessage(state, content, await suite(), header),
    )
    const ciphertext = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })
    return { ciphertext, next: new EncryptedGroup({ ...newState, clientConfig }) }
  }

  /** Decrypts a message of this epoch or the one before. @throws ParleyFailure `ENCRYPTION_FAILED` if it is not genuine, or was read */
  async decrypt(header: ClearHeader, ciphertext: Uint8Array): Promise<DecryptedMessage> {
    const message = messageOf(ciphertext)
    if (message.wireformat !== 'mls_private_message') throw encryptionFailure('This is not an encrypted message.')
    const { privateMessage } = message
    const isOfHeader =
      header.conversationId === this.conversationId &&
      Number(privateMessage.epoch) === header.epoch &&
      areEqual(privateMessage.authenticatedData, headerBytes(header))
    if (!isOfHeader) throw encryptionFailure('The message was sent elsewhere, or in another epoch.')
    return step('The message cannot be decrypted', async () => {
      const cipherSuite = await suite()
      const sender = await this.#senderOf(privateMessage)
      const result = await processPrivateMessage(this.#state, privateMessage, emptyPskIndex, cipherSuite, isAllowedInCommit)
      if (result.kind !== 'applicationMessage') throw encryptionFailure('This is a commit, not a message.')
      return { content: result.message, sender, next: new EncryptedGroup(result.newState) }
    })
  }

  async #senderOf(message: PrivateMessage): Promise<GroupDevice> {
    const { groupContext, historicalReceiverData, keySchedule, ratchetTree } = this.#state
    const known =
      message.epoch === groupContext.epoch
        ? { senderDataSecret: keySchedule.senderDataSecret, ratchetTree }
        : historicalReceiverData.get(message.epoch)
    if (!known) throw encryptionFailure('The message is of an epoch that this device does not have.')
    const data = await decryptSenderData(message, known.senderDataSecret, await suite())
    const device = data && deviceAt(known.ratchetTree, data.leafIndex)
    if (!device) throw encryptionFailure('The message has no sender in the group.')
    return device
  }

  /**
   * The public message of an external commit. RFC 9420 leaves one check to us: such a commit may remove a former leaf of the device that
   * joins, and no other.
   */
  #external(message: MLSMessage) {
    if (message.wireformat !== 'mls_public_message') throw encryptionFailure('This is not a commit.')
    const { publicMessage } = message
    const { content } = publicMessage
    if (content.contentType !== 'commit' || content.sender.senderType !== 'new_member_commit') {
      throw encryptionFailure('Commits of members are private messages.')
    }
    const joining = content.commit.path && devicesOf([{ nodeType: 'leaf', leaf: content.commit.path.leafNode }])[0]
    for (const each of content.commit.proposals) {
      if (each.proposalOrRefType !== 'proposal' || each.proposal.proposalType !== 'remove') continue
      const removed = deviceAt(this.#state.ratchetTree, each.proposal.remove.removed)
      if (!isSameDevice(removed, joining)) throw encryptionFailure('A device that joins may only replace itself.')
    }
    return publicMessage
  }

  async #groupInfo(): Promise<Uint8Array> {
    const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(this.#state, [], await suite())
    return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo })
  }
}

const isSameDevice = (one: DeviceIdentity | null, other: DeviceIdentity | undefined) =>
  one !== null && one.deviceId === other?.deviceId && one.userId === other.userId
