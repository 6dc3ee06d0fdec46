// Tries a Redis at start. One that is away may come back, so a node starts without it. One that can never work stops the node with
// a sentence that says which variable to set.

import { createHash, randomUUID } from 'node:crypto'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Cluster, Redis } from 'ioredis'
import type { RedisSettings } from '../config/redis-settings.ts'
import { StartError } from '../errors.ts'
import { addressOf, loginOf, type SingleOptions } from './redis-connection.ts'
import { redisFaultOf } from './redis-faults.ts'

const checkMs = 3_000
const probeMs = 1_000
/** Runs every command that the scripts of the leases, the board and the counters run. */
const script = `
redis.call('HSET', KEYS[1], 'a', redis.call('TIME')[1])
for _, read in ipairs({ 'HGETALL', 'HKEYS', 'HLEN' }) do redis.call(read, KEYS[1]) end
for _, field in ipairs({ 'HGET', 'HEXISTS', 'HDEL' }) do redis.call(field, KEYS[1], 'b') end
redis.call('ZADD', KEYS[2], 1, 'a')
redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', 1)
redis.call('ZREM', KEYS[2], 'a')
redis.call('PEXPIRE', KEYS[1], 10000)
redis.call(ARGV[1], KEYS[1], '')
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SET', KEYS[1], 0, 'EX', 10, 'NX')
redis.call('INCRBY', KEYS[1], 1)
if redis.call('PTTL', KEYS[1]) > 0 then redis.call('EXPIRE', KEYS[1], 10) end
redis.call('DEL', KEYS[1])
`

const once: SingleOptions = {
  lazyConnect: true,
  retryStrategy: () => null,
  maxRetriesPerRequest: 0,
  enableReadyCheck: false,
  connectTimeout: 2_000,
  commandTimeout: checkMs,
  disableClientInfo: true,
}

/** A server that was asked: its address, and the variables that say how to log in to it. */
type AskedServer = {
  readonly host: string
  readonly port: number
  readonly options: SingleOptions
  readonly isTls: boolean
  readonly kind: RedisSettings['mode']
}

/**
 * Tries every command that a node uses. A Redis that is away or slow to answer is no fault: nodes work without it.
 * @returns whether it answered
 * @throws StartError if Parley cannot use this Redis with these settings
 */
export async function checkRedis(settings: RedisSettings): Promise<boolean> {
  const [login, isTls] = [loginOf(settings), settings.urls[0].startsWith('rediss:')]
  const servers = settings.urls.map((url): AskedServer => ({ ...addressOf(url), options: login, isTls, kind: settings.mode }))
  if (settings.mode === 'cluster') return checkCluster(servers, login)
  if (settings.mode === 'single') return checkFirst(servers, checkSingle)
  const { username: _user, password: _password, db: _db, ...transport } = login
  const { sentinelPassword: password, master } = settings
  const sentinels = servers.map((server) => ({ ...server, options: password === null ? transport : { ...transport, password } }))
  const primaries: AskedServer[] = []
  await checkFirst(sentinels, async (connection, server) => {
    const [host, port] = await primaryOf(connection, server, master)
    primaries.push({ host, port: Number(port), options: login, isTls, kind: 'single' })
  })
  return checkFirst(primaries, checkSingle)
}

/** Checks the servers in order until one has answered. @returns whether one has */
async function checkFirst(
  servers: readonly AskedServer[],
  check: (connection: Redis, server: AskedServer) => Promise<void>,
): Promise<boolean> {
  for (const server of servers) if (await reach(server, check)) return true
  return false
}

/** Checks a server. @returns whether it answered */
async function reach(server: AskedServer, check: (connection: Redis, server: AskedServer) => Promise<void>): Promise<boolean> {
  const { host, port, options, isTls } = server
  const connection = new Redis({ ...once, ...options, host, port })
  const seen: unknown[] = []
  connection.on('error', (error) => seen.push(error))
  try {
    await connection.connect()
    await check(connection, server)
    if (seen.length > 0) throw seen[0]
    return true
  } catch (error) {
    if (error instanceof StartError) throw error
    for (const one of [error, ...seen]) {
      if (server.kind === 'sentinel' && /NOAUTH|WRONGPASS|NOPERM|without any password/.test(String(one))) {
        throw refused(server, 'is a Sentinel that does not accept this password: set PARLEY_REDIS_SENTINEL_PASSWORD', error)
      }
      const fault = redisFaultOf(one, server.kind === 'cluster' ? 'cluster' : 'single')
      if (fault !== null) throw refused(server, `cannot be used: ${fault}`, error)
    }
    if (await speaks(host, port, !isTls)) {
      const other = isTls
        ? 'does not speak TLS on this port: use redis:// instead of rediss://'
        : 'expects TLS on this port: use rediss:// instead of redis://'
      throw refused(server, other, error)
    }
    return false
  } finally {
    connection.disconnect()
  }
}

const refused = ({ host, port }: AskedServer, what: string, cause?: unknown) =>
  new StartError(`REDIS_URL: ${host}:${port} ${what}`, { cause })

async function modeOf(connection: Redis): Promise<string | undefined> {
  return /redis_mode:(\w+)/.exec(await connection.info())?.[1]
}

async function checkSingle(connection: Redis, server: AskedServer): Promise<void> {
  const mode = await modeOf(connection)
  if (mode === 'cluster') throw refused(server, 'is a Redis Cluster: set PARLEY_REDIS_MODE to cluster')
  if (mode === 'sentinel') {
    throw refused(server, 'is a Sentinel: set PARLEY_REDIS_MODE to sentinel, and PARLEY_REDIS_MASTER to the name of the primary')
  }
  await tryScripts(connection, 'PUBLISH')
  const topic = checkName()
  await connection.publish(topic, '')
  await connection.subscribe(topic)
  await connection.unsubscribe(topic)
  await connection.punsubscribe(topic)
}

async function tryScripts(connection: Redis | Cluster, publish: string): Promise<void> {
  const keys = [checkName(), checkName()]
  await connection.eval(script, 2, ...keys, publish)
  await connection.evalsha(createHash('sha1').update(script).digest('hex'), 2, ...keys, publish)
  await connection.mget(...keys)
  await connection.ping()
}

const checkName = () => `parley:check:{0}:${randomUUID()}`

/** Finds the address of the primary that a Sentinel knows. */
async function primaryOf(connection: Redis, server: AskedServer, master: string): Promise<[host: string, port: string]> {
  if ((await modeOf(connection)) !== 'sentinel') throw refused(server, 'is not a Sentinel, but PARLEY_REDIS_MODE is sentinel')
  const found: unknown = await connection.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master)
  if (!Array.isArray(found)) {
    throw new StartError(
      `PARLEY_REDIS_MASTER: the Sentinel ${server.host}:${server.port} knows no primary with the name ${master}`,
    )
  }
  return [String(found[0]), String(found[1])]
}

async function checkCluster(servers: readonly AskedServer[], login: SingleOptions): Promise<boolean> {
  let isUp = false
  const answered = await checkFirst(servers, async (connection, server) => {
    const mode = await modeOf(connection)
    if (mode !== 'cluster') {
      throw refused(
        server,
        `is no Redis Cluster, but a ${mode === 'sentinel' ? 'Sentinel' : 'single Redis'}: set PARLEY_REDIS_MODE`,
      )
    }
    const info = await connection.cluster('INFO')
    if (/cluster_slots_assigned:0\b/.test(info)) {
      throw refused(server, 'belongs to no Redis Cluster yet: make one with redis-cli --cluster create')
    }
    isUp = /cluster_state:ok/.test(info)
  })
  if (!answered || !isUp) return false
  const { db: _db, ...redisOptions } = login
  const cluster = new Cluster([...servers], {
    lazyConnect: true,
    clusterRetryStrategy: () => null,
    shardedSubscribers: true,
    redisOptions: { ...redisOptions, connectTimeout: 2_000, commandTimeout: checkMs, disableClientInfo: true },
  })
  const seen: unknown[] = []
  for (const event of ['error', 'node error', 'nodeError']) cluster.on(event, (error: unknown) => seen.push(error))
  try {
    await cluster.connect()
    await tryScripts(cluster, 'SPUBLISH')
    const topic = checkName()
    await cluster.spublish(topic, '')
    await cluster.ssubscribe(topic)
    await cluster.sunsubscribe(topic)
    return true
  } catch (error) {
    const fault = [error, ...seen].map((each) => redisFaultOf(each, 'cluster')).find((each) => each !== null)
    const [server] = servers
    if (fault !== undefined && server) throw refused(server, `cannot be used: ${fault}`, error)
    return false
  } finally {
    cluster.disconnect()
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
