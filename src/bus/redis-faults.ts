// Explains what is wrong with a Redis, in a sentence that says what to do. At start it is the error that stops the node; later
// it is in the log.

import type { OutageWords } from '../log/outage.ts'

/** The log lines for when Redis is lost and when it is back. */
export const redisWords: OutageWords = {
  away: 'Redis is away: messages still reach every device, through Postgres, up to about 300 ms later; until it is back, typing is not shown and presence does not change',
  back: 'Redis is back: messages, typing and presence go over it again',
  causeOf: (error) => redisFaultOf(error),
}

const common =
  '~parley:* &parley:* -@all +ping +info +time +eval +evalsha +del +pexpire +set +mget +incrby +pttl +expire +hset +hget +hdel +hgetall +hkeys +hlen +hexists +zadd +zrem +zrangebyscore'
/** The rights that a node needs, as ACL rules: no more than these, and a node tries each of them at start. */
export const aclRules = {
  single: `${common} +select +publish +subscribe +unsubscribe +punsubscribe`,
  cluster: `${common} +cluster|info +cluster|slots +spublish +ssubscribe +sunsubscribe`,
} as const

const faults: readonly (readonly [form: RegExp, sentence: string])[] = [
  [/WRONGPASS|invalid username-password|invalid password/i, 'it rejects the user or the password in REDIS_URL'],
  [/NOAUTH/, 'it requires a password: put it into REDIS_URL (redis://:password@host:6379)'],
  [
    /NOPERM|ACL failure|executing the script can't/,
    'its ACL does not grant the user in REDIS_URL what Parley needs: RULES (docs/operations.md, "Redis")',
  ],
  [/READONLY/, 'it is a read-only replica: point REDIS_URL to the primary'],
  [/MOVED|CROSSSLOT|CLUSTERDOWN|non local key/, 'it is a Redis Cluster: set PARLEY_REDIS_MODE to cluster'],
  [/unknown command/i, 'it does not know the commands that Parley needs: is it a proxy, or older than Redis 7?'],
  [/DB index is out of range|invalid DB index/i, 'it has no database with the number at the end of REDIS_URL'],
  [
    /wrong version number|packet length too long|EPROTO|ERR_SSL|unexpected eof/i,
    'it does not speak TLS on this port: use redis:// instead of rediss://, or the TLS port',
  ],
  [
    /CERT|self-signed|SELF_SIGNED|unable to verify|altnames/i,
    'its TLS certificate is not trusted: set PARLEY_REDIS_CA_FILE to the certificate file of its CA, and use the host name in the certificate',
  ],
  [/Protocol error|fatal error|unexpected/i, 'the server on this port does not speak the Redis protocol'],
]

/**
 * What an error says is wrong and what to do about it; null if Redis may only be away.
 * @param kind the kind of Redis, whose rights an error about missing ones names
 */
export function redisFaultOf(error: unknown, kind: keyof typeof aclRules = 'single'): string | null {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const text = `${String(code ?? '')} ${String(message ?? error)}`
  return faults.find(([form]) => form.test(text))?.[1].replace('RULES', aclRules[kind]) ?? null
}
