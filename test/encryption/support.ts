// Devices with keys of their own, and groups that they encrypt. The bytes of MLS mean nothing to the server, so these are random.

import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto'
import { print } from 'graphql'
import type { Device } from '../support/device.ts'
import { CreateGroup } from '../support/documents.ts'
import type { EncryptionEventsSubscription } from '../support/generated/graphql.ts'
import { until } from '../support/until.ts'
import {
  BindDevice,
  CommitEpoch,
  DeviceChallenge,
  EncryptionEvents,
  RegisterDevice,
  Seal,
  UploadKeyPackages,
} from './documents.ts'

/** Some bytes, in base64. */
export const bytes = (length = 40) => randomBytes(length).toString('base64')

/** A device with a signature key. */
export class Signer {
  readonly key: string
  readonly #secret: KeyObject

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    this.key = Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url').toString('base64')
    this.#secret = privateKey
  }

  sign(...lines: readonly string[]): string {
    return sign(null, Buffer.from(lines.join('\n')), this.#secret).toString('base64')
  }

  /** What `registerDevice` needs of it. */
  registration(userId: string, name = 'Phone') {
    const signature = this.sign('parley.device.register.v1', userId, this.key)
    return { input: { name, signatureKey: this.key, signature } }
  }

  /** Binds it to the session of a login. */
  async bind(to: Device, deviceId: string) {
    const { deviceChallenge } = await to.run(DeviceChallenge, {})
    const signature = this.sign('parley.device.bind.v1', deviceId, deviceChallenge)
    return (await to.run(BindDevice, { input: { deviceId, signature } })).bindDevice
  }
}

/** Registers the device of a login; returns its id. */
export async function register(device: Device, signer = new Signer(), name = 'Phone'): Promise<string> {
  return (await device.run(RegisterDevice, signer.registration(device.userId, name))).registerDevice.device.id
}

/** Uploads so many key packages, and perhaps one of last resort. */
export async function stock(device: Device, count: number, lastResort: string | null = null): Promise<string[]> {
  const keyPackages = Array.from({ length: count }, () => bytes())
  await device.run(UploadKeyPackages, { input: { keyPackages, lastResort } })
  return keyPackages
}

/** A new encrypted group with these users. */
export async function encryptedGroup(owner: Device, ...others: readonly Device[]): Promise<string> {
  const input = { title: 'Secret', memberIds: others.map(({ userId }) => userId), encryption: 'MLS' as const }
  return (await owner.run(CreateGroup, { input })).createGroup.conversation.id
}

type Welcome = { readonly deviceId: string; readonly welcome: string }

/** The input of a commit. */
export const commitOf = (conversationId: string, epoch: number, welcomes: readonly Welcome[] = [], more: object = {}) => ({
  input: { conversationId, epoch, commit: bytes(), groupInfo: bytes(), welcomes: [...welcomes], ...more },
})

/** Commits an epoch. */
export async function commit(device: Device, conversationId: string, epoch: number, welcomes: readonly Welcome[] = []) {
  return (await device.run(CommitEpoch, commitOf(conversationId, epoch, welcomes))).commitEpoch
}

/** The input of an encrypted send. */
export const sealed = (conversationId: string, epoch: number, more: object = {}) => ({
  input: { conversationId, clientMessageId: randomUUID(), ciphertext: bytes(), epoch, ...more },
})

/** Sends a ciphertext. */
export async function seal(device: Device, conversationId: string, epoch: number, more: object = {}) {
  return (await device.run(Seal, sealed(conversationId, epoch, more))).sendMessage
}

type EncryptionEvent = EncryptionEventsSubscription['events']

/** Follows the events of a device, with what they say about encryption. */
export class Followed {
  readonly seen: EncryptionEvent[] = []
  readonly errors: unknown[] = []

  static async open(device: Device, after: string | null = null): Promise<Followed> {
    const followed = new Followed()
    device.socket().subscribe<EncryptionEventsSubscription>(
      { query: print(EncryptionEvents), variables: { after } },
      {
        next: ({ data, errors }) => {
          if (errors) followed.errors.push(...errors)
          if (data) followed.seen.push(data.events)
        },
        error: (error) => void followed.errors.push(error),
        complete: () => undefined,
      },
    )
    await until('CaughtUp', () => followed.seen.some(({ __typename }) => __typename === 'CaughtUp') || followed.errors.length > 0)
    return followed
  }

  of<Name extends EncryptionEvent['__typename']>(name: Name): (EncryptionEvent & { __typename: Name })[] {
    return this.seen.filter((event): event is EncryptionEvent & { __typename: Name } => event.__typename === name)
  }

  /** Waits for so many events of a type. */
  async wait<Name extends EncryptionEvent['__typename']>(name: Name, count = 1) {
    await until(`${count} ${name}`, () => this.of(name).length >= count || this.errors.length > 0)
    if (this.errors.length > 0) throw new Error(JSON.stringify(this.errors))
    return this.of(name)
  }
}
