// What a node stands on before it opens: a database, a token secret and VAPID keys, given by the environment or kept in the
// data directory. On a laptop this brings Postgres along; in production it starts nothing.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Config, VapidKeys } from '../config.ts'
import { StartError } from '../errors.ts'
import type { Log } from '../log.ts'
import { takeDirectory } from './owner.ts'
import { startPostgres } from './postgres.ts'
import { keepSecrets } from './secrets.ts'

/** The ground of a node. */
export type Installation = {
  readonly databaseUrl: string
  readonly tokenSecret: string
  /** null where neither the environment nor a data directory has any: there is no Web Push then. */
  readonly vapid: VapidKeys | null
  close(): Promise<void>
}

/**
 * Prepares the ground that the configuration asks for.
 * @throws StartError with a sentence for the person who starts it.
 */
export async function openInstallation(config: Config, log: Log): Promise<Installation> {
  const { databaseUrl, secrets: given } = config
  if (databaseUrl !== null && given.token !== null) {
    return { databaseUrl, tokenSecret: given.token, vapid: given.vapid, close: async () => undefined }
  }
  const directory = path.resolve(config.dataDirectory)
  return openDirectory(directory, config, log).catch((error: NodeJS.ErrnoException) => {
    if (error.syscall === undefined) throw error
    throw new StartError(`PARLEY_DATA_DIR: ${directory} cannot be used (${error.message}): choose another directory`, {
      cause: error,
    })
  })
}

async function openDirectory(directory: string, { databaseUrl, secrets: given }: Config, log: Log): Promise<Installation> {
  await mkdir(directory, { recursive: true })
  if (databaseUrl !== null) {
    // Several nodes may share the directory for its secrets; it is not theirs alone.
    const secrets = await keepSecrets(directory)
    return { databaseUrl, tokenSecret: secrets.token, vapid: given.vapid ?? secrets.vapid, close: async () => undefined }
  }
  const release = await takeDirectory(directory)
  try {
    const secrets = await keepSecrets(directory)
    const postgres = await startPostgres(path.join(directory, 'postgres'), secrets.database, log)
    const close = async () => {
      await postgres.stop()
      await release()
    }
    return { databaseUrl: postgres.url, tokenSecret: given.token ?? secrets.token, vapid: given.vapid ?? secrets.vapid, close }
  } catch (error) {
    await release()
    throw error
  }
}
