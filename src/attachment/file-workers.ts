// Works on the files that this node is dealt, in a process of its own. Nothing runs until there is a file to work on.

import type { App } from '../parts.ts'
import { JobPostponed, openWorkers, type Workers } from '../store/workers.ts'
import { fileJob, fileJobForm } from './file-jobs.ts'
import { StoreFailure } from './file-store.ts'
import { Media } from './media.ts'
import { processFile } from './process-file.ts'

/** Two at once, so that one file is fetched and stored while pictures are made of the other. */
const concurrency = 2

/** Opens the workers for files. */
export function openFileWorkers(app: App): { close(): Promise<void> } {
  const media = new Media(app.log)
  let workers: Workers | null = null
  let isClosed = false
  const tasks = {
    [fileJob]: (payload: unknown) =>
      processFile(app, media, fileJobForm.parse(payload).fileId).catch((error: unknown) => {
        throw error instanceof StoreFailure ? new JobPostponed(error.message, { cause: error }) : error
      }),
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
