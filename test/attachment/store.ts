// The suite that every store of files passes.

import { randomBytes } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { FileStore } from '../../src/attachment/file-store.ts'

const newKey = () => randomBytes(16).toString('hex')

/** Reads a stream to its end. */
export async function readAll(bytes: Readable | null): Promise<string | null> {
  if (!bytes) return null
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** A file of this machine with this text. */
export async function localFile(text: string | Buffer): Promise<string> {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'parley-store-')), 'file')
  await writeFile(file, text)
  return file
}

/** Declares the suite. */
export function storeSuite(open: () => FileStore): void {
  test('an object has the bytes that were written, whole and in part', async () => {
    const [store, object] = [open(), `${newKey()}/file`]
    expect(await store.sizeOf(object)).toBeNull()
    await store.write(object, await localFile('0123456789'), 'text/plain')
    expect(await store.sizeOf(object)).toBe(10)
    expect(await readAll(await store.read(object))).toBe('0123456789')
    expect(await readAll(await store.read(object, { first: 3, last: 5 }))).toBe('345')
    expect(await readAll(await store.read(object, { first: 9, last: 9 }))).toBe('9')
  })

  test('writing an object again replaces it', async () => {
    const [store, object] = [open(), `${newKey()}/picture`]
    await store.write(object, await localFile('first, and longer'), 'text/plain')
    await store.write(object, await localFile('second'), 'text/plain')
    expect(await readAll(await store.read(object))).toBe('second')
  })

  test('what is not there is null, and removing it is no error', async () => {
    const [store, key] = [open(), newKey()]
    expect(await store.read(`${key}/file`)).toBeNull()
    expect(await store.sizeOf(`${key}/file`)).toBeNull()
    await store.removeOne(`${key}/file`)
    await store.remove(key)
  })

  test('removing a key removes all of its objects and no others', async () => {
    const [store, key, other] = [open(), newKey(), newKey()]
    const file = await localFile('x')
    for (const object of [`${key}/file`, `${key}/320`, `${other}/file`]) await store.write(object, file, 'text/plain')
    await store.removeOne(`${key}/320`)
    expect(await store.sizeOf(`${key}/320`)).toBeNull()
    expect(await store.sizeOf(`${key}/file`)).toBe(1)
    await store.remove(key)
    expect(await store.sizeOf(`${key}/file`)).toBeNull()
    expect(await store.sizeOf(`${other}/file`)).toBe(1)
  })

  test('an original of the announced size is kept, and keeping it again changes nothing', async () => {
    const [store, key] = [open(), newKey()]
    expect([await store.uploadedSize(key), await store.keepUpload(key, 5)]).toEqual([null, false])
    await store.write(`${key}/file`, await localFile('01234'), 'text/plain')
    expect([await store.uploadedSize(key), await store.keepUpload(key, 4), await store.keepUpload(key, 5)]).toEqual([
      5,
      false,
      true,
    ])
    expect(await readAll(await store.read(`${key}/file`))).toBe('01234')
  })

  test('a stream can be left before its end', async () => {
    const [store, object] = [open(), `${newKey()}/file`]
    await store.write(object, await localFile(randomBytes(2_000_000)), 'application/octet-stream')
    const bytes = await store.read(object)
    bytes?.once('data', () => bytes.destroy())
    await new Promise((resolve) => bytes?.once('close', resolve))
    expect(await store.sizeOf(object)).toBe(2_000_000)
  })
}
