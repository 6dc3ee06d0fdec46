// The part of a node that has to do with files: the stores, the URLs, and the locks of uploads.

import path from 'node:path'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Keys } from '../keys.ts'
import { statement } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import { type DiskStore, openDiskStore } from './disk-store.ts'
import type { FileStore } from './file-store.ts'
import type { StoreName } from './row.ts'
import { openS3Store } from './s3-store.ts'
import { UploadLocks } from './upload-locks.ts'
import { FileUrls } from './urls.ts'

declare module '../parts.ts' {
  interface App {
    readonly files: Files
  }
}

const anyOnDisk = statement<{ one: number }>('files_on_disk', "select 1 as one from stored_file where store = 'DISK' limit 1")

/** The files of a node. */
export type Files = {
  /** The store of new files. */
  readonly store: FileStore
  readonly disk: DiskStore
  /** The store that has a file: an installation may have moved to another one. @throws Error if it is not configured any more */
  storeOf(file: { readonly store: StoreName }): FileStore
  readonly urls: FileUrls
  readonly uploadLocks: UploadLocks
  /** Says that there are files to process. */
  hasWork(): void
  /** Calls `listener` when there are files to process. */
  onWork(listener: () => void): void
  close(): Promise<void>
}

/** Opens the stores that are configured. */
export async function openFiles({ dataDirectory, files }: Config, store: Store, keys: Keys, clock: Clock): Promise<Files> {
  const disk = openDiskStore(
    path.resolve(dataDirectory, 'files'),
    async () => (await store.reader.rows(anyOnDisk, [])).length === 0,
  )
  const s3 = files.s3 === null ? null : await openS3Store(files.s3)
  const uploadLocks = new UploadLocks(store)
  const workers: (() => void)[] = []
  return {
    store: s3 ?? disk,
    disk,
    storeOf(file) {
      const found = file.store === 'DISK' ? disk : s3
      if (!found) throw new Error('a file is in a bucket, but PARLEY_S3_BUCKET is not set')
      return found
    },
    urls: new FileUrls(keys, files.baseUrl, clock),
    uploadLocks,
    hasWork() {
      for (const listener of workers) listener()
    },
    onWork: (listener) => workers.push(listener),
    async close() {
      await uploadLocks.close()
      await s3?.close()
    },
  }
}
