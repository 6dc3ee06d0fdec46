// The leases in Redis (or Valkey), on a connection of their own: a hash of leases for each user, and one sorted set of the times
// at which to check each user. Scripts change them, so a lease and the message about it change in one step. Times are those of
// Redis, whatever the clocks of the nodes say, plus the time by which a test has turned its clock. The scripts compute the names
// of keys, so a Redis Cluster is not supported.

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import { type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { Outage } from '../log/outage.ts'
import { answerMs, keepPinging, reportTo } from './heartbeat.ts'
import { deviceStates, type LapsedDevice, type Leases, leasesMax, type PresentDevice } from './leases.ts'

/** How many users one call checks: Redis does nothing else in the meantime. */
const lapseMax = 200
/** If all nodes are gone, Redis drops the leases of a user this long after the last of them has expired. */
const keepMs = 120_000
const keepDueMs = 86_400_000

// A field of the hash is `device@node`, its value `until state activeAt`. The field `published` has the last published state. The
// first argument of each script is how far the node's clock is ahead, in milliseconds.
const common = `
local prefix = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local due = prefix .. ':due'
local lapsed = {}
local function keyOf(user) return prefix .. ':devices:' .. user end
local function number(value) return string.format('%.0f', value) end
local function parts(value)
  local ends, state, active = string.match(value or '', '^(%d+) (%d) (%d+)$')
  return tonumber(ends), tonumber(state), tonumber(active)
end
local function settle(user, final)
  local key = keyOf(user)
  local fields = redis.call('HGETALL', key)
  local best, published, latest, nextAt, lastAt = 0, 0, 0, nil, 0
  for i = 1, #fields, 2 do
    local ends, state, active = parts(fields[i + 1])
    if fields[i] == 'published' then
      published = tonumber(fields[i + 1])
    elseif not ends then
      redis.call('HDEL', key, fields[i])
    else
      latest = math.max(latest, active)
      if ends <= now then
        redis.call('HDEL', key, fields[i])
        lapsed[#lapsed + 1] = user
        lapsed[#lapsed + 1] = string.match(fields[i], '^%d+')
        lapsed[#lapsed + 1] = number(active)
      else
        best = math.max(best, state)
        nextAt = math.min(nextAt or ends, ends)
        lastAt = math.max(lastAt, ends)
      end
    end
  end
  if best ~= published then
    redis.call('HSET', key, 'published', best)
    redis.call('PUBLISH', prefix .. ':' .. user, '[' .. user .. ',' .. best .. ',' .. number(latest) .. ',' .. final .. ']')
  end
  if nextAt then
    redis.call('ZADD', due, number(nextAt), user)
    redis.call('PEXPIRE', due, ${keepDueMs})
    redis.call('PEXPIRE', key, number(lastAt - now + ${keepMs}))
  else
    redis.call('ZREM', due, user)
    redis.call('DEL', key)
  end
end
`
const renewScript = `${common}
local node, seen, users = ARGV[2], {}, {}
for i = 3, #ARGV, 6 do
  local user, device, age = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 3])
  local key, field = keyOf(user), device .. '@' .. node
  local _, _, active = parts(redis.call('HGET', key, field) or '')
  local may = active or ARGV[i + 5] == '1'
  if not may then
    for _, other in ipairs(redis.call('HKEYS', key)) do
      may = may or string.match(other, '^%d+') == device
    end
  end
  local room = active or redis.call('HLEN', key) - redis.call('HEXISTS', key, 'published') < ${leasesMax}
  if may and room then
    active = math.max(active or 0, age >= 0 and now - age or 0)
    redis.call('HSET', key, field, number(now + ARGV[i + 4]) .. ' ' .. ARGV[i + 2] .. ' ' .. number(active))
    if not seen[user] then
      seen[user] = true
      users[#users + 1] = user
    end
  end
end
for _, user in ipairs(users) do settle(user, 0) end
return lapsed
`
const endScript = `${common}
local user, device, found = ARGV[2], ARGV[3], false
local fields = redis.call('HGETALL', keyOf(user))
for i = 1, #fields, 2 do
  if string.match(fields[i], '^%d+') == device then
    redis.call('HSET', keyOf(user), fields[i], (string.gsub(fields[i + 1], '^%d+', '0')))
    found = true
  end
end
if found then settle(user, 1) end
return lapsed
`
const lapseScript = `${common}
local users = redis.call('ZRANGEBYSCORE', due, '-inf', number(now), 'LIMIT', 0, ${lapseMax})
for _, user in ipairs(users) do settle(user, 0) end
return { #users, lapsed }
`
const readScript = `${common}
local found = {}
for i = 2, #ARGV do found[i - 1] = redis.call('HGETALL', keyOf(ARGV[i])) end
return { number(now), found }
`

type Scripts = {
  renewLeases(prefix: string, aheadMs: number, ...rest: (string | number)[]): Promise<string[]>
  endLease(prefix: string, aheadMs: number, userId: UserId, deviceId: SessionId): Promise<string[]>
  lapseLeases(prefix: string, aheadMs: number): Promise<[users: number, lapsed: string[]]>
  readLeases(prefix: string, aheadMs: number, ...userIds: number[]): Promise<[now: string, found: string[][]]>
}

/** Opens the connection; does not wait for it. `prefix` begins every key and topic: the topic of a user is `<prefix>:<user>`. */
export function openRedisLeases(redisUrl: string, prefix: () => string, { aheadMs }: Clock, outage: Outage): Leases {
  const node = randomUUID()
  const connection = new Redis(redisUrl, {
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    connectTimeout: 2_000,
    socketTimeout: answerMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 1_000,
    scripts: {
      renewLeases: { lua: renewScript, numberOfKeys: 1 },
      endLease: { lua: endScript, numberOfKeys: 1 },
      lapseLeases: { lua: lapseScript, numberOfKeys: 1 },
      readLeases: { lua: readScript, numberOfKeys: 1 },
    },
  }) as Redis & Scripts
  reportTo(connection, 'leases', outage)
  const stopPinging = keepPinging(connection)
  let wasReady = false
  connection.once('ready', () =>
    setImmediate(() => {
      wasReady = true
    }),
  )

  return {
    async renew(leases) {
      if (leases.length === 0) return []
      const given = leases.flatMap(({ userId, deviceId, state, activeAgoMs, lastsMs, mayBegin }) => {
        const age = activeAgoMs === null ? -1 : Math.max(0, Math.round(activeAgoMs))
        return [userId, deviceId, deviceStates.indexOf(state), age, Math.round(lastsMs), Number(mayBegin)]
      })
      return lapsedOf(await connection.renewLeases(prefix(), aheadMs(), node, ...given))
    },
    end: async (userId, deviceId) => lapsedOf(await connection.endLease(prefix(), aheadMs(), userId, deviceId)),
    async lapse() {
      const all: LapsedDevice[] = []
      for (let users = lapseMax; users === lapseMax; ) {
        const [looked, lapsed] = await connection.lapseLeases(prefix(), aheadMs())
        all.push(...lapsedOf(lapsed))
        users = looked
      }
      return all
    },
    async read(userIds) {
      if (userIds.length === 0) return new Map()
      const [now, found] = await connection.readLeases(prefix(), aheadMs(), ...userIds)
      const devices = userIds.map((userId, i) => [userId, devicesOf(found[i] ?? [], Number(now))] as const)
      return new Map(devices.filter(([, present]) => present.length > 0))
    },
    onRestored(listener) {
      connection.on('ready', () => {
        if (wasReady) listener()
      })
    },
    async close() {
      stopPinging()
      connection.disconnect()
    },
  }
}

/** Ended leases, from a flat list of users, devices and times. */
function lapsedOf(flat: readonly string[]): LapsedDevice[] {
  const lapsed: LapsedDevice[] = []
  for (let i = 0; i < flat.length; i += 3) {
    const [userId = 0, deviceId = 0, activeAt = 0] = flat.slice(i, i + 3).map(Number)
    lapsed.push({ userId: userIdOf(userId), deviceId: sessionIdOf(deviceId), activeAt })
  }
  return lapsed
}

/** The devices of a user, each with the best state of its leases, from the fields of the hash. */
function devicesOf(fields: readonly string[], now: number): PresentDevice[] {
  const devices = new Map<SessionId, PresentDevice>()
  for (let i = 0; i < fields.length; i += 2) {
    const [, deviceId] = /^(\d+)@/.exec(fields[i] ?? '') ?? []
    const [until = 0, rank = 0, activeAt = 0] = (fields[i + 1] ?? '').split(' ').map(Number)
    if (deviceId === undefined || until <= now) continue
    const id = sessionIdOf(deviceId)
    const known = devices.get(id)
    const state = rank === 2 || known?.state === 'ONLINE' ? 'ONLINE' : 'IDLE'
    devices.set(id, { deviceId: id, state, activeAt: Math.max(activeAt, known?.activeAt ?? 0) })
  }
  return [...devices.values()]
}
