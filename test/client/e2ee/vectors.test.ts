// The pinned library against the published test vectors, for the cipher suite that Parley uses.

import { decodeMlsMessage } from 'ts-mls'
import { refhash } from 'ts-mls/crypto/hash.js'
import { decryptWithLabel } from 'ts-mls/crypto/hpke.js'
import { deriveSecret, deriveTreeSecret, expandWithLabel } from 'ts-mls/crypto/kdf.js'
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js'
import { unprotectPrivateMessage } from 'ts-mls/messageProtection.js'
import { encodeProposal } from 'ts-mls/proposal.js'
import { createSecretTree } from 'ts-mls/secretTree.js'
import { expect, test } from 'vitest'
import { toHex } from '../../../client/src/e2ee/bytes.ts'
import { configOf } from '../../../client/src/e2ee/group-config.ts'
import { suite, suiteName } from '../../../client/src/e2ee/suite.ts'
import { everybody } from './devices.ts'
import { cryptoBasics, messageProtection } from './vectors.ts'

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const messageOf = (hex: string) => {
  const [message] = decodeMlsMessage(bytes(hex), 0) ?? []
  if (!message) throw new Error('not a message')
  return message
}

test('crypto-basics: hashes, derivations, HPKE and signatures', async () => {
  const { hash, kdf, hpke, signature } = await suite()
  const { ref_hash: ref, expand_with_label: expand, derive_secret: derive, derive_tree_secret: tree } = cryptoBasics
  expect(toHex(await refhash(ref.label, bytes(ref.value), hash))).toBe(ref.out)
  const expanded = await expandWithLabel(bytes(expand.secret), expand.label, bytes(expand.context), expand.length, kdf)
  expect(toHex(expanded)).toBe(expand.out)
  expect(toHex(await deriveSecret(bytes(derive.secret), derive.label, kdf))).toBe(derive.out)
  expect(toHex(await deriveTreeSecret(bytes(tree.secret), tree.label, tree.generation, tree.length, kdf))).toBe(tree.out)
  const { encrypt_with_label: sealed, sign_with_label: signed } = cryptoBasics
  const key = await hpke.importPrivateKey(bytes(sealed.priv))
  const parts = [bytes(sealed.context), bytes(sealed.kem_output), bytes(sealed.ciphertext)] as const
  expect(toHex(await decryptWithLabel(key, sealed.label, ...parts, hpke))).toBe(sealed.plaintext)
  const content = bytes(signed.content)
  expect(toHex(await signWithLabel(bytes(signed.priv), signed.label, content, signature))).toBe(signed.signature)
  expect(await verifyWithLabel(bytes(signed.pub), signed.label, content, bytes(signed.signature), signature)).toBe(true)
})

test('message-protection: private messages are decrypted, and their signatures are right', async () => {
  const cs = await suite()
  const { keyRetentionConfig } = configOf(everybody)
  const vector = messageProtection
  const context = {
    version: 'mls10' as const,
    cipherSuite: suiteName,
    groupId: bytes(vector.group_id),
    epoch: BigInt(vector.epoch),
    treeHash: bytes(vector.tree_hash),
    confirmedTranscriptHash: bytes(vector.confirmed_transcript_hash),
    extensions: [],
  } as const
  const read = async (hex: string) => {
    const message = messageOf(hex)
    if (message.wireformat !== 'mls_private_message') throw new Error('another message')
    const tree = await createSecretTree(2, bytes(vector.encryption_secret), cs.kdf)
    const { content } = await unprotectPrivateMessage(
      bytes(vector.sender_data_secret),
      message.privateMessage,
      tree,
      [],
      { ...context, extensions: [] },
      keyRetentionConfig,
      cs,
      bytes(vector.signature_pub),
    )
    return content.content
  }
  const application = await read(vector.application_priv)
  expect(application.contentType === 'application' && toHex(application.applicationData)).toBe(vector.application)
  const proposal = await read(vector.proposal_priv)
  expect(proposal.contentType === 'proposal' && toHex(encodeProposal(proposal.proposal))).toBe(vector.proposal)
})
