// Works on the files that this node is dealt, in a process of its own. Nothing runs until there is a file to work on.

import type { App } from '../parts.ts'
import { isTransient } from '../store/postgres.ts'
import { openWorkers, type Workers } from '../store/workers.ts'
import { fileJob, fileJobForm, postponeFileJob } from './file-jobs.ts'
import { StoreFailure } from './file-store.ts'
import { Media } from './media.ts'
import { processFile, ScannerFailure } from './process-file.ts'

/** Two at once, so that one file is fetched and stored while pictures are made of the other. */
const concurrency = 2

/** Opens the workers for files. */
export function openFileWorkers(app: App): { close(): Promise<void> } {
  const media = new Media(app.log)
  let workers: Workers | null = null
  let isClosed = false
  const tasks = {
    [fileJob]: async (payload: unknown) => {
      const { fileId } = fileJobForm.parse(payload)
      try {
        await processFile(app, media, fileId)
      } catch (error) {
        const isAway = error instanceof StoreFailure || error instanceof ScannerFailure || isTransient(error)
        if (!isAway) throw error
        app.log.warn({ err: error, fileId }, 'work on a file is postponed')
        await app.store.jobs.lasting((tx) => postponeFileJob(tx, fileId))
      }
    },
  }
  app.files.onWork(() => {
    if (!isClosed) workers ??= openWorkers(app, { tasks, concurrency })
  })
  return {
    async close() {
      isClosed = true
      await media.close()
      await workers?.close()
    },
  }
}
