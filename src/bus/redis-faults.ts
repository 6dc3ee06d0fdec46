// Explains what is wrong with a Redis, in a sentence that says what to do. At start it is the error that stops the node; later
// it is in the log.

import { createHash, randomUUID } from 'node:crypto'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Redis } from 'ioredis'
import { StartError } from '../errors.ts'
import type { OutageWords } from '../log/outage.ts'

/** The log lines for when Redis is lost and when it is back. */
export const redisWords: OutageWords = {
  away: 'Redis is away: messages still reach every device, through Postgres, up to about 300 ms later; until it is back, typing is not shown and presence does not change',
  back: 'Redis is back: messages, typing and presence go over it again',
  causeOf: redisFaultOf,
}

const checkMs = 3_000
const probeMs = 1_000
/** The rights that a node needs, as ACL rules: no more than these, and a node tries each of them at start. */
export const aclRules =
  '~parley:* &parley:* -@all +ping +info +select +time +publish +subscribe +unsubscribe +punsubscribe +eval +evalsha +del +pexpire +set +incrby +pttl +expire +hset +hget +hdel +hgetall +hkeys +hlen +hexists +zadd +zrem +zrangebyscore'
/** Runs every command that the scripts of the leases and the counters run. */
const script = `
local due = KEYS[1] .. ':due'
redis.call('HSET', KEYS[1], 'a', redis.call('TIME')[1])
for _, read in ipairs({ 'HGETALL', 'HKEYS', 'HLEN' }) do redis.call(read, KEYS[1]) end
for _, field in ipairs({ 'HGET', 'HEXISTS', 'HDEL' }) do redis.call(field, KEYS[1], 'b') end
redis.call('ZADD', due, 1, 'a')
redis.call('ZRANGEBYSCORE', due, '-inf', 1)
redis.call('ZREM', due, 'a')
redis.call('PEXPIRE', KEYS[1], 10000)
redis.call('PUBLISH', KEYS[1], '')
redis.call('DEL', KEYS[1], due)
redis.call('SET', KEYS[1], 0, 'EX', 10, 'NX')
redis.call('INCRBY', KEYS[1], 1)
if redis.call('PTTL', KEYS[1]) > 0 then redis.call('EXPIRE', KEYS[1], 10) end
redis.call('DEL', KEYS[1])
`

const faults: readonly (readonly [form: RegExp, sentence: string])[] = [
  [/WRONGPASS|invalid username-password|invalid password/i, 'it rejects the user or the password in REDIS_URL'],
  [/NOAUTH/, 'it requires a password: put it into REDIS_URL (redis://:password@host:6379)'],
  [
    /NOPERM|ACL failure|executing the script can't/,
    `its ACL does not grant this user what Parley needs: ${aclRules} (docs/operations.md, "Redis")`,
  ],
  [/READONLY/, 'it is a read-only replica: point REDIS_URL to the primary'],
  [
    /MOVED|CROSSSLOT|CLUSTERDOWN|non local key/,
    'it is a Redis Cluster, which Parley does not support: use a single Redis, with a replica to fail over to',
  ],
  [/unknown command/i, 'it does not know the Redis commands: is it a Sentinel or a proxy?'],
  [/DB index is out of range|invalid DB index/i, 'it has no database with the number at the end of REDIS_URL'],
  [
    /wrong version number|packet length too long|EPROTO|ERR_SSL|unexpected eof/i,
    'it does not speak TLS on this port: use redis:// instead of rediss://, or the TLS port',
  ],
  [
    /CERT|self-signed|SELF_SIGNED|unable to verify|altnames/i,
    'its TLS certificate is not trusted: set NODE_EXTRA_CA_CERTS to the certificate file of its CA, and use the host name in the certificate',
  ],
  [/Protocol error|fatal error|unexpected/i, 'the server on this port does not speak the Redis protocol'],
]

/** What an error says is wrong and what to do about it; null if Redis may only be away. */
export function redisFaultOf(error: unknown): string | null {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const text = `${String(code ?? '')} ${String(message ?? error)}`
  return faults.find(([form]) => form.test(text))?.[1] ?? null
}

/**
 * Tries every command that a node uses. A Redis that is away or slow to answer is no fault: nodes work without it.
 * @returns whether it answered
 * @throws StartError if Parley cannot use this Redis
 */
export async function checkRedis(redisUrl: string): Promise<boolean> {
  const { host, hostname, port, protocol } = new URL(redisUrl)
  const settings = { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0, enableReadyCheck: false }
  const connection = new Redis(redisUrl, { ...settings, connectTimeout: 2_000, commandTimeout: checkMs, disableClientInfo: true })
  const seen: unknown[] = []
  connection.on('error', (error) => seen.push(error))
  try {
    await connection.connect()
    const info = await connection.info()
    const mode = /redis_mode:(\w+)/.exec(info)?.[1]
    if (mode === 'cluster') throw new Error('MOVED')
    if (mode === 'sentinel') throw new StartError(`REDIS_URL: ${host} is a Sentinel: use the address of Redis itself`)
    const key = `parley:check:${randomUUID()}`
    await connection.eval(script, 1, key)
    await connection.evalsha(createHash('sha1').update(script).digest('hex'), 1, key)
    await connection.ping()
    await connection.publish(key, '')
    await connection.subscribe(key)
    await connection.unsubscribe(key)
    await connection.punsubscribe(key)
    if (seen.length > 0) throw seen[0]
    return true
  } catch (error) {
    if (error instanceof StartError) throw error
    for (const one of [error, ...seen]) {
      const fault = redisFaultOf(one)
      if (fault !== null) throw new StartError(`REDIS_URL: ${host} cannot be used: ${fault}`, { cause: error })
    }
    const wantsTls = protocol === 'redis:'
    if (await speaks(hostname, Number(port || 6379), wantsTls)) {
      const other = wantsTls
        ? 'expects TLS on this port: use rediss:// instead of redis://'
        : 'does not speak TLS on this port: use redis:// instead of rediss://'
      throw new StartError(`REDIS_URL: ${host} ${other}`, { cause: error })
    }
    return false
  } finally {
    connection.disconnect()
  }
}

/** Whether a server answers over TLS, or as a plain Redis. Each is silent to a client of the other kind. */
function speaks(host: string, port: number, isTls: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    const socket = isTls
      ? connectTls({ host, port, rejectUnauthorized: false }, () => end(true))
      : connectPlain({ host, port }, () => socket.write('PING\r\n'))
    if (!isTls) socket.once('data', (data) => end(/^[+-]/.test(String(data))))
    socket.setTimeout(probeMs, () => end(false))
    socket.on('error', () => end(false))
  })
}
