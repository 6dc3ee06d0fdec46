// How the groups of Parley use MLS: whose devices they take, what a commit may do, what is padded, and how long keys are kept.

import { type ClientConfig, defaultKeyPackageEqualityConfig, type IncomingMessageCallback, type PaddingConfig } from 'ts-mls'
import { type DeviceTrust, identityOf } from './identity.ts'
import { keyPackageLifetimeS } from './key-packages.ts'

/** The smallest content after padding, in bytes. Larger content is padded to the next power of two, and above 4 KiB to whole pages. */
const paddedMin = 256
const pageBytes = 4_096

/** The configuration of a group. */
export const configOf = (trust: DeviceTrust): ClientConfig => ({
  // The server takes messages of the current epoch and of the one before, and a device reads them in order.
  keyRetentionConfig: { retainKeysForGenerations: 32, retainKeysForEpochs: 1, maximumForwardRatchetSteps: 2_000 },
  lifetimeConfig: { maximumTotalLifetime: BigInt(2 * keyPackageLifetimeS), validateLifetimeOnReceive: false },
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: { kind: 'padUntilLength', padUntilLength: paddedMin },
  authService: {
    async validateCredential(credential, signatureKey) {
      const identity = identityOf(credential)
      return identity !== null && trust({ ...identity, signatureKey })
    },
  },
})

/** Commits add and remove devices and renew keys, and nothing else; proposals come inside of commits only. */
export const isAllowedInCommit: IncomingMessageCallback = (incoming) => {
  const allowed: ReadonlySet<unknown> = new Set(['add', 'remove', 'external_init'])
  const isAllowed = incoming.kind === 'commit' && incoming.proposals.every(({ proposal }) => allowed.has(proposal.proposalType))
  return isAllowed ? 'accept' : 'reject'
}

/** The padding of content, so that its length says little. */
export function paddingFor(byteLength: number): PaddingConfig {
  // MLS writes the length before the content, in one, two or four bytes.
  const lengthBytes = byteLength < 64 ? 1 : byteLength < 16_384 ? 2 : 4
  const whole = byteLength + lengthBytes
  const padded =
    whole > pageBytes ? Math.ceil(whole / pageBytes) * pageBytes : Math.max(paddedMin, 2 ** Math.ceil(Math.log2(whole)))
  return { kind: 'alwaysPad', paddingLength: padded - whole }
}
