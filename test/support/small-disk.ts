// A disk that fills up soon: a file system of a few megabytes in memory, with a directory for tables of Postgres. Only root may
// mount one, and not in every container.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A small disk. */
export type SmallDisk = {
  /** Makes an empty directory on it, with the same owner as another directory. */
  directoryLike(other: string): Promise<string>
  /** Fills the remaining room. */
  fill(): Promise<void>
  /** Frees that room. */
  free(): Promise<void>
  unmount(): Promise<void>
}

/** Mounts a disk of this many megabytes; null if that is impossible. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | null> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-disk-'))
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', directory]).then(
    () => true,
    () => false,
  )
  if (!mounted) {
    await rm(directory, { recursive: true })
    return null
  }
  const filler = path.join(directory, 'filler')
  return {
    async directoryLike(other) {
      const made = path.join(directory, 'tables')
      await run('install', ['-d', '-m', '700', made])
      await run('chown', [`--reference=${other}`, made])
      return made
    },
    async fill() {
      await writeFile(filler, Buffer.alloc(megabytes * 1_048_576)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOSPC') throw error
      })
    },
    free: () => rm(filler, { force: true }),
    async unmount() {
      await run('umount', ['--lazy', directory])
      await rm(directory, { recursive: true, force: true })
    },
  }
}
