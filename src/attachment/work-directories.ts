// The directories in which jobs look at files. A node that is killed leaves its own behind, and a later job removes it.

import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const prefix = 'parley-file-'
/** A job takes minutes: an older directory belongs to no job any more. */
const leftAfterMs = 3_600_000
let lookedAt = Number.NEGATIVE_INFINITY

/** Runs `work` in a new directory, which is removed afterwards. */
export async function inWorkDirectory<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
  if (Date.now() - lookedAt > leftAfterMs) {
    lookedAt = Date.now()
    await removeLeftovers()
  }
  const directory = await mkdtemp(path.join(tmpdir(), prefix))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Removes the directories of nodes that were killed. Those of another account of this machine stay. */
export async function removeLeftovers(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => [])
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    const directory = path.join(tmpdir(), name)
    const found = await lstat(directory).catch(() => null)
    if (!found?.isDirectory() || Date.now() - found.mtimeMs < leftAfterMs) continue
    await rm(directory, { recursive: true, force: true }).catch(() => undefined)
  }
}
