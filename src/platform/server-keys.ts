// Server keys as rows. A key is a random token; only its hash is stored.

import { createHash, randomBytes } from 'node:crypto'
import { line } from '../graphql/input.ts'
import type { ServerKeyId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { ServerKey } from '../viewer.ts'

/** The beginning of every key, by which scanners of leaked secrets know one. */
export const keyPrefix = 'plk_'
/** The longest name of a key, in characters, and the most keys that work at once. */
export const [keyNameMax, keysMax] = [100, 100]

/** The form of a key's name. */
export const keyName = line(keyNameMax)

/** A key as it is listed. Its token was shown when it was made. */
export type ServerKeyRow = ServerKey & {
  readonly createdAt: Date
  /** To the minute; null if it was never used. */
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
}

const columns = 'id, name, scopes, tenant, created_at as "createdAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"'
const byHash = statement<ServerKeyRow>('server_key_by_hash', `select ${columns} from server_key where token_hash = $1`)
const byIds = statement<ServerKeyRow>('server_keys_by_ids', `select ${columns} from server_key where id = any($1::bigint[])`)
const open = statement<ServerKeyRow>(
  'server_keys_open',
  `select ${columns} from server_key where revoked_at is null and ($1::text is null or tenant = $1) order by id limit ${keysMax}`,
)

/** A new token. */
export const newToken = () => keyPrefix + randomBytes(32).toString('base64url')
/** What is stored of a token. It has 256 random bits, so a fast hash is enough. */
export const hashOf = (token: string) => createHash('sha256').update(token).digest()

/** Finds the key of a token, revoked ones too; null if there is none. */
export async function findKeyByToken(reader: Reader, token: string): Promise<ServerKeyRow | null> {
  const [key] = await reader.rows(byHash, [hashOf(token)])
  return key ?? null
}

/** The keys that work, the oldest first: all, or those of a tenant. */
export const readOpenKeys = (reader: Reader, tenant: string | null): Promise<ServerKeyRow[]> => reader.rows(open, [tenant])

/** Reads keys by their ids, in no particular order. */
export const readKeys = (reader: Reader, ids: readonly ServerKeyId[]): Promise<ServerKeyRow[]> => reader.rows(byIds, [ids])

/** Whether a key is for what belongs to this tenant. */
export const isFor = (key: Pick<ServerKey, 'tenant'>, { tenant }: { readonly tenant: string | null }) =>
  key.tenant === null || key.tenant === tenant
