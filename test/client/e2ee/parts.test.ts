// The parts of encryption without a group: content, files and safety numbers.

import { expect, test } from 'vitest'
import { bytesOf, fromBase64, toBase64 } from '../../../client/src/e2ee/bytes.ts'
import { decodeContent, type EncryptedContent, encodeContent } from '../../../client/src/e2ee/content.ts'
import { openFile, sealFile } from '../../../client/src/e2ee/files.ts'
import { isSameSafety, safetyNumber, safetyPayload } from '../../../client/src/e2ee/safety-number.ts'

const key = (byte: number) => new Uint8Array(32).fill(byte)
const sealed = { fileName: 'a.png', contentType: 'image/png', byteSize: 3, key: 'aa', sha256: 'bb', width: 4, height: 5 }
const contents: readonly EncryptedContent[] = [
  { type: 'text', text: 'hello' },
  { type: 'text', text: '', replyToId: 'm_1', files: [sealed] },
  { type: 'edit', messageId: 'm_1', text: 'better' },
  { type: 'deletion', messageId: 'm_1' },
  { type: 'reaction', messageId: 'm_1', emoji: '👍', isAdded: true },
]

test.each(contents)('content comes back as it was: %j', (content) => {
  expect(decodeContent(encodeContent(content))).toEqual(content)
})

test.each([
  ['nonsense', 'it is no JSON object'],
  ['[]', 'it is no JSON object'],
  ['{"type":"text","text":"x"}', 'version is no whole number'],
  ['{"version":1,"text":"x"}', 'type is no text'],
  ['{"version":1,"type":"text"}', 'text is no text'],
  [`{"version":1,"type":"text","text":"${'x'.repeat(10_001)}"}`, 'text is longer than 10000 characters'],
  ['{"version":1,"type":"deletion","messageId":""}', 'messageId is empty'],
  ['{"version":1,"type":"reaction","messageId":"m","emoji":"x","isAdded":1}', 'isAdded is neither true nor false'],
  ['{"version":1,"type":"text","text":"x","files":{}}', 'files is no list'],
  ['{"version":1,"type":"text","text":"x","files":[1]}', 'files has an entry that is no object'],
  ['{"version":1,"type":"text","text":"x","files":[{"fileName":"a","contentType":"b","byteSize":-1}]}', 'byteSize is no whole'],
])('content that is not valid is refused, with its field: %s', (json, why) => {
  expect(() => decodeContent(bytesOf(json))).toThrow(why)
})

test('content of a newer version is unknown, and no failure', () => {
  expect(decodeContent(bytesOf('{"version":2,"type":"text","text":5}'))).toEqual({ type: 'unknown' })
  expect(decodeContent(bytesOf('{"version":1,"type":"hologram"}'))).toEqual({ type: 'unknown' })
  expect(() => decodeContent(new Uint8Array([255, 254]))).toThrow('no JSON object')
  expect(() => encodeContent({ type: 'edit', messageId: '', text: 'x' })).toThrow('messageId is empty')
  expect(() => encodeContent({ type: 'text', text: ' \n' })).toThrow('text is empty')
})

test('a file comes back as it was, and its bytes say nothing', async () => {
  const text = 'canary '.repeat(1_000)
  const blob = new Blob([text], { type: 'text/plain' })
  const { blob: encrypted, sealed: file } = await sealFile({ blob, fileName: 'notes.txt' })
  expect(file).toMatchObject({ fileName: 'notes.txt', contentType: 'text/plain', byteSize: 7_000 })
  const bytes = new Uint8Array(await encrypted.arrayBuffer())
  expect(Buffer.from(bytes).includes('canary')).toBe(false)
  const opened = await openFile(bytes, file)
  expect([await opened.text(), opened.type]).toEqual([text, 'text/plain'])
  const again = await sealFile({ blob, fileName: 'notes.txt' })
  expect(again.sealed.key).not.toBe(file.key)
  expect(Buffer.from(bytes).equals(Buffer.from(await again.blob.arrayBuffer()))).toBe(false)
  for (const wrong of [bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte)), bytes.subarray(1)]) {
    await expect(openFile(wrong, file)).rejects.toThrow('not the one that was sent')
  }
  await expect(openFile(bytes, { ...file, key: toBase64(key(1)) })).rejects.toThrow('cannot be decrypted')
})

test('a safety number is the same on both sides, and another one with another device', async () => {
  const alice = { userId: 'u_1', signatureKeys: [key(1), key(2)] }
  const bob = { userId: 'u_2', signatureKeys: [key(3)] }
  const number = await safetyNumber(alice, bob)
  expect(number).toMatch(/^\d{60}$/)
  expect(await safetyNumber(bob, { ...alice, signatureKeys: [key(2), key(1)] })).toBe(number)
  const others = [
    await safetyNumber(alice, { ...bob, signatureKeys: [key(3), key(4)] }),
    await safetyNumber({ ...alice, signatureKeys: [key(1)] }, bob),
    await safetyNumber(alice, { ...bob, userId: 'u_3' }),
  ]
  expect(new Set([number, ...others]).size).toBe(4)
  // Only the half of the user who changed is another one.
  expect(others[0]?.slice(0, 30)).toBe(number.slice(0, 30))
  await expect(safetyNumber(alice, alice)).rejects.toThrow('two users')
})

test('a scanned code is told apart from a wrong one', async () => {
  const alice = { userId: 'u_1', signatureKeys: [key(1)] }
  const bob = { userId: 'u_2', signatureKeys: [key(3)] }
  const payload = await safetyPayload(alice, bob)
  expect(await isSameSafety(payload, bob, alice)).toBe(true)
  expect(await isSameSafety(payload, alice, { ...bob, signatureKeys: [key(4)] })).toBe(false)
  for (const scanned of ['', 'https://example.com', `parley-safety:2:${payload.slice(16)}`, 'parley-safety:1:AAAA']) {
    await expect(isSameSafety(scanned, alice, bob)).rejects.toThrow('no safety number')
  }
})

test('Base64 is the usual one, for many bytes as for few', () => {
  for (const size of [0, 1, 2, 3, 8_192, 20_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 256)
    expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
    expect(fromBase64(toBase64(bytes))).toEqual(bytes)
  }
})
