// The ratchet tree of a group, as a list of devices.

import type { LeafNode, RatchetTree } from 'ts-mls'
import { type GroupDevice, identityOf } from './identity.ts'
import { encryptionFailure } from './suite.ts'

function deviceOf(leaf: LeafNode): GroupDevice | null {
  const identity = identityOf(leaf.credential)
  return identity && { ...identity, signatureKey: leaf.signaturePublicKey }
}

/** The devices of a tree, in the order of their leaves. */
export function devicesOf(tree: RatchetTree): readonly GroupDevice[] {
  return tree.flatMap((node) => (node?.nodeType === 'leaf' ? (deviceOf(node.leaf) ?? []) : []))
}

/** The device of a leaf; null if the leaf is blank. */
export function deviceAt(tree: RatchetTree, leafIndex: number): GroupDevice | null {
  const node = tree[leafIndex * 2]
  return node?.nodeType === 'leaf' ? deviceOf(node.leaf) : null
}

/** The leaf of a device. @throws ParleyFailure if it has none */
export function leafOf(tree: RatchetTree, deviceId: string): number {
  const at = tree.findIndex((node) => node?.nodeType === 'leaf' && identityOf(node.leaf.credential)?.deviceId === deviceId)
  if (at < 0) throw encryptionFailure(`The device ${deviceId} is not in the group.`)
  return at / 2
}
