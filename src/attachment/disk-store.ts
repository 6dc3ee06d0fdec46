// Files on a disk of this machine, or one that all nodes mount. An object grows in `<name>.part` and gets its name when it is
// complete and on disk, so it is never half there. A marker tells the store from the empty place where it is not mounted.

import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, open, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type FileStore, StoreFailure } from './file-store.ts'
import { originalName } from './row.ts'

/** Room that uploads leave free on the disk, for the others that use it: the database may be one of them. */
const reservedBytes = 256 * 1_048_576
/** How often an upload looks whether that room is still there, in bytes. */
const roomCheckBytes = 8 * 1_048_576
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
/** System calls on the file of an upload. What its sender sends is read. */
const fileCalls = new Set(['open', 'write', 'writev', 'fsync', 'close'])
/** A file in the directory of every store. */
const markerName = '.parley-files'
const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? ''

/** The store on a disk. It also receives the bytes of uploads. */
export type DiskStore = FileStore & {
  readonly name: 'DISK'
  /** Whether there is room for so many more bytes. */
  hasRoom(byteSize: number): Promise<boolean>
  /**
   * Adds bytes to an upload from `offset` on, and drops what was there after it. Most of what arrives before the stream fails
   * stays; up to `upTo` bytes in all are kept: the caller refuses longer streams. Fails as FULL before the room runs out that
   * others need. @returns how many bytes there are then
   */
  receive(key: string, offset: number, upTo: number, bytes: Readable): Promise<number>
}

/**
 * Opens the store in a directory. It is made at the first upload if `isFresh` says that no file is in it yet; otherwise a store
 * without its directory is away.
 */
export function openDiskStore(directory: string, isFresh: () => Promise<boolean>): DiskStore {
  const marker = path.join(directory, markerName)
  /** @throws StoreFailure if the store is not there */
  const requireStore = async () => {
    const isThere = async () => (await stat(marker).catch(unlessMissing).catch(refuse)) !== null
    if (await isThere()) return
    if (!(await isFresh())) {
      // Unless another upload has made it since, and is the first file.
      if (await isThere()) return
      throw new StoreFailure('AWAY', new Error(`${marker} is missing`))
    }
    await mkdir(directory, { recursive: true }).catch(refuse)
    await writeFile(marker, '').catch(refuse)
  }
  /** Makes the directories of an object, but not the store's: that may just have gone away. */
  const makeRoom = async (file: string) => {
    await requireStore()
    const own = path.dirname(file)
    for (const each of [path.dirname(own), own]) await mkdir(each).catch(unlessThere).catch(refuse)
  }
  // Keys are random hexadecimal digits: two of them are enough to keep directories small.
  const pathOf = (object: string) => path.join(directory, object.slice(0, 2), object)
  const partOf = (object: string) => `${pathOf(object)}.part`
  const originalOf = (key: string) => `${key}/${originalName}`
  const hasRoom = async (byteSize: number) => {
    const { bavail, bsize } = await statfs(directory).catch(refuse)
    return bavail * bsize >= byteSize + reservedBytes
  }
  const sizeAt = async (file: string) => {
    const found = await stat(file).catch(unlessMissing).catch(refuse)
    if (!found) await requireStore()
    return found?.size ?? null
  }
  return {
    name: 'DISK',
    signUpload: async () => null,
    async hasRoom(byteSize) {
      await requireStore()
      return hasRoom(byteSize)
    },
    async receive(key, offset, upTo, bytes) {
      const part = partOf(originalOf(key))
      await makeRoom(part)
      return append(part, offset, upTo, inRoom(bytes, hasRoom))
    },
    uploadedSize: async (key) => (await sizeAt(pathOf(originalOf(key)))) ?? (await sizeAt(partOf(originalOf(key)))),
    async keepUpload(key, byteSize) {
      const [file, part] = [pathOf(originalOf(key)), partOf(originalOf(key))]
      // The part of a node that died after the last byte is complete, and may not be on disk.
      if ((await sizeAt(file)) === null && (await sizeAt(part)) === byteSize) await nameSynced(part, file).catch(refuse)
      return (await sizeAt(file)) === byteSize
    },
    sizeOf: (object) => sizeAt(pathOf(object)),
    async read(object, range) {
      const file = pathOf(object)
      const handle = await open(file, 'r').catch(unlessMissing).catch(refuse)
      if (!handle) {
        await requireStore()
        return null
      }
      return createReadStream(file, { fd: handle, ...(range ? { start: range.first, end: range.last } : {}) })
    },
    async write(object, file) {
      const part = partOf(object)
      await makeRoom(part)
      try {
        await copyFile(file, part)
        await nameSynced(part, pathOf(object))
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined)
        refuse(error)
      }
    },
    async remove(key) {
      await requireStore()
      await rm(pathOf(key), { recursive: true, force: true }).catch(refuse)
    },
    async removeOne(object) {
      await requireStore()
      await rm(pathOf(object), { force: true }).catch(refuse)
    },
    close: async () => undefined,
  }
}

/** Gives a file its name once it is on disk. */
async function nameSynced(part: string, file: string): Promise<void> {
  const handle = await open(part, 'r+')
  await handle.sync().finally(() => handle.close())
  await rename(part, file)
}

/** Writes a stream into a file from `offset` on, up to `upTo` bytes in all, and syncs it. @returns how many there are then */
async function append(file: string, offset: number, upTo: number, bytes: AsyncIterable<Buffer>): Promise<number> {
  let at = offset
  const limited = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      const kept = chunk.subarray(0, Math.max(0, upTo - at))
      at += kept.length
      yield kept
    }
  }
  const handle = await open(file, offset === 0 ? 'w' : 'r+').catch(refuse)
  await handle.close()
  if (offset > 0) await truncate(file, offset).catch(refuse)
  const target = createWriteStream(file, { flags: 'r+', start: offset, flush: true })
  await pipeline(bytes, limited, target).catch((error: NodeJS.ErrnoException) => {
    // The file's fault; otherwise the sender broke off.
    if (fileCalls.has(error.syscall ?? '')) refuse(error)
    throw error
  })
  return at
}

/** Passes bytes on while there is room for them. @throws StoreFailure */
async function* inRoom(bytes: AsyncIterable<Buffer>, hasRoom: (byteSize: number) => Promise<boolean>): AsyncIterable<Buffer> {
  let unchecked = roomCheckBytes
  for await (const chunk of bytes) {
    unchecked += chunk.length
    if (unchecked >= roomCheckBytes) {
      if (!(await hasRoom(chunk.length))) throw new StoreFailure('FULL', new Error('the room that others need begins here'))
      unchecked = 0
    }
    yield chunk
  }
}

function unlessMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null
  throw error
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error
}

function refuse(error: unknown): never {
  if (error instanceof StoreFailure) throw error
  throw new StoreFailure(fullCodes.has(codeOf(error)) ? 'FULL' : 'AWAY', error)
}
