// Reads what the variables of Redis mean together.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RedisSettings } from './redis-settings.ts'
import type { EnvironmentVariables } from './variables.ts'

type RedisVariables = Pick<
  EnvironmentVariables,
  'REDIS_URL' | 'PARLEY_REDIS_MODE' | 'PARLEY_REDIS_MASTER' | 'PARLEY_REDIS_SENTINEL_PASSWORD' | 'PARLEY_REDIS_CA_FILE'
>

/** Reads the settings of Redis; null if there is none. Adds what is wrong to `faults`. */
export function readRedis(v: RedisVariables, faults: string[]): RedisSettings | null {
  const { REDIS_URL: urls, PARLEY_REDIS_MODE: mode, PARLEY_REDIS_MASTER: master, PARLEY_REDIS_CA_FILE: file } = v
  const [first, ...others] = urls ?? []
  if (first === undefined) {
    for (const name of ['PARLEY_REDIS_MASTER', 'PARLEY_REDIS_CA_FILE'] as const) {
      if (v[name] !== undefined) faults.push(`REDIS_URL must be set together with ${name}`)
    }
    if (mode !== 'single') faults.push(`REDIS_URL must be set: PARLEY_REDIS_MODE is ${mode}`)
    return null
  }
  faults.push(...faultsOf(mode, [first, ...others], master))
  const ca = file === undefined ? null : readAuthority(file, first, faults)
  const sentinelPassword = v.PARLEY_REDIS_SENTINEL_PASSWORD ?? null
  return { mode, urls: [first, ...others], ca, master: master ?? '', sentinelPassword }
}

function faultsOf(mode: RedisSettings['mode'], urls: readonly string[], master: string | undefined): string[] {
  const faults: string[] = []
  const [first, ...others] = urls.map((url) => new URL(url))
  const own = ({ protocol, username, password, pathname }: URL) => [protocol, username, password, pathname].join('\n')
  if (mode === 'single' && others.length > 0) {
    faults.push('REDIS_URL names several addresses: set PARLEY_REDIS_MODE to cluster or sentinel, or name a single one')
  }
  if (first && others.some((url) => own(url) !== own(first))) {
    faults.push('REDIS_URL: the addresses must differ only in host and port: protocol, user, password and database are the same')
  }
  if (mode === 'cluster' && first && !['', '/', '/0'].includes(first.pathname)) {
    faults.push('REDIS_URL must not end with a database number: a Redis Cluster has only one database')
  }
  if (mode === 'sentinel' && master === undefined) {
    faults.push('PARLEY_REDIS_MASTER must be set: PARLEY_REDIS_MODE is sentinel')
  }
  if (mode !== 'sentinel' && master !== undefined) {
    faults.push(`PARLEY_REDIS_MASTER is for Sentinels alone: PARLEY_REDIS_MODE is ${mode}`)
  }
  return faults
}

function readAuthority(file: string, url: string, faults: string[]): string | null {
  if (!url.startsWith('rediss:')) faults.push('PARLEY_REDIS_CA_FILE is for TLS alone: REDIS_URL must begin with rediss://')
  try {
    const text = readFileSync(file, 'utf8')
    new X509Certificate(text)
    return text
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR' ? `cannot be read: ${code}` : 'is no certificate in PEM'
    faults.push(`PARLEY_REDIS_CA_FILE: ${file} ${why}`)
    return null
  }
}
