// Provides what a node needs before it opens: a database, token secrets and VAPID keys, from the environment or from the data
// directory. On a laptop it starts the embedded Postgres; in production it starts nothing.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Config, VapidKeys } from '../config/config.ts'
import { StartError } from '../errors.ts'
import type { ReportProgress } from '../log/log.ts'
import { takeDirectory } from './owner.ts'
import { startPostgres } from './postgres.ts'
import { keepSecrets } from './secrets.ts'

/** What a node needs before it opens. */
export type Installation = {
  readonly databaseUrl: string
  /** The first one signs, all of them verify. */
  readonly tokenSecrets: readonly string[]
  /** null if neither the environment nor the data directory has keys: then there is no Web Push. */
  readonly vapid: VapidKeys | null
  close(): Promise<void>
}

/**
 * Prepares what the configuration asks for. `report` gets messages about what takes long.
 * @throws StartError with a sentence for the operator
 */
export async function openInstallation(config: Config, report: ReportProgress): Promise<Installation> {
  const { databaseUrl, secrets: given } = config
  if (databaseUrl !== null && given.token !== null) {
    return { databaseUrl, tokenSecrets: given.token, vapid: given.vapid, close: async () => undefined }
  }
  const directory = path.resolve(config.dataDirectory)
  return openDirectory(directory, config, report).catch((error: NodeJS.ErrnoException) => {
    if (error.syscall === undefined) throw error
    throw new StartError(`PARLEY_DATA_DIR: ${directory} cannot be used (${error.message}): choose another directory`, {
      cause: error,
    })
  })
}

async function openDirectory(
  directory: string,
  { databaseUrl, secrets: given }: Config,
  report: ReportProgress,
): Promise<Installation> {
  await mkdir(directory, { recursive: true })
  if (databaseUrl !== null) {
    // Several nodes may share the directory for its secrets, so none of them takes it.
    const secrets = await keepSecrets(directory)
    return {
      databaseUrl,
      tokenSecrets: given.token ?? secrets.token,
      vapid: given.vapid ?? secrets.vapid,
      close: async () => undefined,
    }
  }
  const release = await takeDirectory(directory)
  try {
    const secrets = await keepSecrets(directory)
    const postgres = await startPostgres(path.join(directory, 'postgres'), secrets.database, { info: report })
    const close = async () => {
      await postgres.stop()
      await release()
    }
    return { databaseUrl: postgres.url, tokenSecrets: given.token ?? secrets.token, vapid: given.vapid ?? secrets.vapid, close }
  } catch (error) {
    await release()
    throw error
  }
}
