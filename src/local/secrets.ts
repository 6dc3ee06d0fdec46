// The secrets of an installation whose environment has none: made once, and kept in the data directory, readable only by its
// owner.

import { randomBytes } from 'node:crypto'
import { chown, link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import webPush from 'web-push'
import { z } from 'zod'
import { StartError } from '../errors.ts'

const form = z.object({
  /** Sign access and refresh tokens: the first one signs, all of them verify. */
  token: z.union([
    z
      .string()
      .min(32)
      .transform((one) => [one]),
    z.array(z.string().min(32)).min(1),
  ]),
  /** The step that a rotation has come to; absent if there is none. */
  rotation: z.enum(['ADDED', 'FIRST']).optional(),
  /** When the new secret was put first, in ISO 8601. */
  rotatedAt: z.string().optional(),
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
    token: [randomBytes(32).toString('base64url')],
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

/** A step of a rotation: the new secret was added, the new secret comes first, the old secret was removed. */
export type RotationStep = 'ADDED' | 'FIRST' | 'REMOVED'

/**
 * Does the next step of replacing the token secret of a data directory. Nodes take it over when they restart. `refreshTtlS` is how
 * long tokens of the old secret may be in use.
 * @throws StartError if the directory has no secrets, the file is damaged, or it is too early for the next step
 */
export async function rotateTokenSecret(directory: string, refreshTtlS: number): Promise<RotationStep> {
  const file = path.join(directory, 'secrets.json')
  const kept = await findKept(file)
  if (!kept) throw new StartError(`${file} does not exist: Parley makes it at its first start`)
  const { rotation, rotatedAt, token, ...others } = kept
  const endsAt = Date.parse(rotatedAt ?? '') + refreshTtlS * 1_000
  if (rotation === 'FIRST' && endsAt > Date.now())
    throw new StartError(`The old secret is still needed: remove it after ${new Date(endsAt).toISOString()}, or sessions end`)
  const [first = '', second = first] = token
  const [step, rotated] =
    rotation === undefined
      ? (['ADDED', { token: [...token, randomBytes(32).toString('base64url')], rotation: 'ADDED' }] as const)
      : rotation === 'ADDED'
        ? (['FIRST', { token: [second, first], rotation: 'FIRST', rotatedAt: new Date().toISOString() }] as const)
        : (['REMOVED', { token: [first] }] as const)
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, `${JSON.stringify({ ...others, ...rotated }, null, 2)}\n`, { mode: 0o600 })
  // The command may run as root; the node must still be able to read the file.
  const { uid, gid } = await stat(file)
  await chown(draft, uid, gid)
  await rename(draft, file)
  return step
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
