// The messages of MLS, as bytes: what travels between devices.

import { decodeMlsMessage, type MLSMessage } from 'ts-mls'
import { decoded, encryptionFailure } from './suite.ts'

/** The message of some bytes. @throws ParleyFailure `ENCRYPTION_FAILED` if they are none */
export const messageOf = (bytes: Uint8Array): MLSMessage => decoded(decodeMlsMessage, bytes, 'This is not a message of MLS.')

/** The Welcome of some bytes. */
export function welcomeOf(bytes: Uint8Array) {
  const message = messageOf(bytes)
  if (message.wireformat !== 'mls_welcome') throw encryptionFailure('This is not a Welcome.')
  return message.welcome
}

/** The GroupInfo of some bytes. */
export function groupInfoOf(bytes: Uint8Array) {
  const message = messageOf(bytes)
  if (message.wireformat !== 'mls_group_info') throw encryptionFailure('This is not a GroupInfo.')
  return message.groupInfo
}

/** The epoch of a GroupInfo. */
export const epochOfGroupInfo = (groupInfo: Uint8Array): number => Number(groupInfoOf(groupInfo).groupContext.epoch)

/** The epoch in which a commit was made. */
export function epochOfCommit(commit: Uint8Array): number {
  const message = messageOf(commit)
  if (message.wireformat === 'mls_private_message') return Number(message.privateMessage.epoch)
  if (message.wireformat === 'mls_public_message') return Number(message.publicMessage.content.epoch)
  throw encryptionFailure('This is not a commit.')
}
