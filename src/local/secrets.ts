// The secrets of an installation whose environment has none: made once, and kept in the data directory, readable only by its
// owner.

import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import webPush from 'web-push'
import { z } from 'zod'
import { StartError } from '../errors.ts'

const form = z.object({
  /** Signs access and refresh tokens. */
  token: z.string().min(32),
  /** The password of the embedded Postgres. */
  database: z.string().min(16),
  /** Identifies this installation to push services (RFC 8292). */
  vapid: z.object({ publicKey: z.string(), privateKey: z.string() }),
})

/** The content of `secrets.json`. */
export type StoredSecrets = z.output<typeof form>

/**
 * Reads the secrets of a data directory, or makes them.
 * @throws StartError if the file is damaged: new secrets would end every session
 */
export async function keepSecrets(directory: string): Promise<StoredSecrets> {
  const file = path.join(directory, 'secrets.json')
  const kept = await findKept(file)
  if (kept) return kept
  const secrets: StoredSecrets = {
    token: randomBytes(32).toString('base64url'),
    database: randomBytes(24).toString('base64url'),
    vapid: webPush.generateVAPIDKeys(),
  }
  // If several nodes start at once on a shared directory, all of them use the secrets of the first one.
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(draft)
  return (await findKept(file)) ?? secrets
}

async function findKept(file: string): Promise<StoredSecrets | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return text === null ? null : parse(text, file)
}

function parse(text: string, file: string): StoredSecrets {
  try {
    return form.parse(JSON.parse(text))
  } catch (error) {
    throw new StartError(`${file} is damaged: restore it, or delete it together with the data directory's postgres folder`, {
      cause: error,
    })
  }
}
