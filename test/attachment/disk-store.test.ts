// The store on a disk: the suite of all stores, and the reception of uploads.

import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DiskStore, openDiskStore } from '../../src/attachment/disk-store.ts'
import { StoreFailure } from '../../src/attachment/file-store.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { localFile, readAll, storeSuite } from './store.ts'

let directory: string
let disk: DiskStore

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'parley-disk-'))
  disk = openDiskStore(directory, async () => true)
})

storeSuite(() => disk)

const key = (digit: string) => digit.repeat(32)
const object = (digit: string) => `${key(digit)}/file`

test('an upload gets its name only when it is complete', async () => {
  await disk.receive(key('a'), 0, 6, Readable.from([Buffer.from('par')]))
  expect(await disk.uploadedSize(key('a'))).toBe(3)
  expect(await disk.sizeOf(object('a'))).toBeNull()
  expect(await disk.receive(key('a'), 3, 6, Readable.from([Buffer.from('ley')]))).toBe(6)
  expect(await disk.keepUpload(key('a'), 7)).toBe(false)
  for (let n = 0; n < 2; n += 1) expect(await disk.keepUpload(key('a'), 6)).toBe(true)
  expect(await readAll(await disk.read(object('a')))).toBe('parley')
})

test('bytes after the offset of a part are dropped, and never more are kept than announced', async () => {
  await disk.receive(key('b'), 0, 10, Readable.from([Buffer.from('12345')]))
  await disk.receive(key('b'), 2, 4, Readable.from([Buffer.from('xyz and much more')]))
  expect(await disk.keepUpload(key('b'), 4)).toBe(true)
  expect(await readAll(await disk.read(object('b')))).toBe('12xy')
})

test('a directory that cannot be used is a store that is away', async () => {
  const file = await localFile('')
  const away = openDiskStore(file, async () => true)
  await expect(away.hasRoom(1)).rejects.toThrow(StoreFailure)
  await expect(away.write(object('d'), await localFile('x'), 'text/plain')).rejects.toMatchObject({ reason: 'AWAY' })
})

test('a store that has files and is not where it was is away, and no new one is begun in its place', async () => {
  const place = path.join(await mkdtemp(path.join(tmpdir(), 'parley-disk-')), 'files')
  let isFresh = true
  const mounted = openDiskStore(place, async () => isFresh)
  await mounted.write(object('f'), await localFile('kept'), 'text/plain')
  isFresh = false
  await rename(place, `${place}.away`)
  const attempts = [
    () => mounted.read(object('f')),
    () => mounted.sizeOf(object('f')),
    () => mounted.hasRoom(1),
    () => mounted.receive(key('g'), 0, 1, Readable.from([Buffer.from('x')])),
    () => mounted.remove(key('f')),
  ]
  for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ reason: 'AWAY' })
  await rename(`${place}.away`, place)
  expect(await readAll(await mounted.read(object('f')))).toBe('kept')
})

test('uploads that run while a store is taken away leave nothing in its place', async () => {
  const place = path.join(await mkdtemp(path.join(tmpdir(), 'parley-disk-')), 'files')
  let isFresh = true
  const mounted = openDiskStore(place, async () => isFresh)
  const file = await localFile('x')
  await mounted.write(object('f'), file, 'text/plain')
  isFresh = false
  for (let round = 0; round < 100; round += 1) {
    const write = () => mounted.write(`${randomBytes(16).toString('hex')}/file`, file, 'text/plain')
    const writing = Promise.allSettled(Array.from({ length: 20 }, write))
    await rename(place, `${place}.away`)
    await writing
    // Fails if something is there.
    await rename(`${place}.away`, place)
  }
  expect(await readAll(await mounted.read(object('f')))).toBe('x')
})

test('several first uploads at once make the store once', async () => {
  const place = path.join(await mkdtemp(path.join(tmpdir(), 'parley-disk-')), 'files')
  // As if another one made it, and wrote its row, between the look at the disk and that at the table.
  const racing = openDiskStore(place, async () => {
    await openDiskStore(place, async () => true).hasRoom(1)
    return false
  })
  expect(await racing.hasRoom(1)).toBe(true)
})

// Not every container may mount one.
const small = await mountSmallDisk(2)
afterAll(() => small?.unmount())

test.skipIf(small === null)('a full disk says so, and keeps nothing of an object that it has no room for', async () => {
  const full = openDiskStore(path.join((await small?.directoryLike(directory)) ?? '', 'files'), async () => true)
  expect(await full.hasRoom(1)).toBe(false) // uploads leave room for others
  const bytes = Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(100_000)))
  await expect(full.receive(key('h'), 0, 5_000_000, bytes)).rejects.toMatchObject({ reason: 'FULL' })
  await full.remove(key('h'))
  await expect(full.write(object('i'), await localFile(Buffer.alloc(5_000_000)), 'text/plain')).rejects.toMatchObject({
    reason: 'FULL',
  })
  expect(await full.sizeOf(object('i'))).toBeNull()
  await full.write(object('i'), await localFile('fits'), 'text/plain')
  expect(await readAll(await full.read(object('i')))).toBe('fits')
})

test('nothing half-written is left of an object that could not be written', async () => {
  await expect(disk.write(object('e'), path.join(directory, 'missing'), 'text/plain')).rejects.toThrow(StoreFailure)
  expect(await readdir(path.join(directory, 'ee', 'e'.repeat(32)))).toEqual([])
})
