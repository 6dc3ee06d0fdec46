// The leases in Redis (or Valkey), on a connection of their own: a hash of leases for each user, and a sorted set of the times at
// which to check each user; in a Redis Cluster, one such set for each bucket of users. Scripts change them, so a lease and the
// message about it change in one step; a script gets the names of all its keys. Times are those of Redis, whatever the clocks of
// the nodes say, plus the time by which a test has turned its clock.

import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { RedisSettings } from '../config/redis-settings.ts'
import { type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { Outage } from '../log/outage.ts'
import { keepPinging, reportTo } from './heartbeat.ts'
import { deviceStates, type LapsedDevice, type Lease, type Leases, leasesMax, type PresentDevice } from './leases.ts'
import { connectRedis, type RedisConnection } from './redis-connection.ts'
import { groupBySlot, slotsOf } from './slots.ts'

/** How many users one call checks: Redis does nothing else in the meantime. */
const lapseMax = 200
/** If all nodes are gone, Redis drops the leases of a user this long after the last of them has expired. */
const keepMs = 120_000
const keepDueMs = 86_400_000

// A field of the hash is `device@node`, its value `until state activeAt`. The field `published` has the last published state.
// Keys: the set of times, and the hash of each user. ScriptArguments: how far the node's clock is ahead, in milliseconds; the command to
// publish with; the beginning of topics; the users, in the order of their keys; and what else the script needs.
const common = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local due, publish, topics = KEYS[1], ARGV[2], ARGV[3]
local rest = 3 + #KEYS
local lapsed, keys = {}, {}
for i = 2, #KEYS do keys[ARGV[2 + i]] = KEYS[i] end
local function keyOf(user) return keys[user] end
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
    redis.call(publish, topics .. user, '[' .. user .. ',' .. best .. ',' .. number(latest) .. ',' .. final .. ']')
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
local node, seen, users = ARGV[rest], {}, {}
for i = rest + 1, #ARGV, 6 do
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
local user, device, found = ARGV[4], ARGV[rest], false
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
const dueScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ${lapseMax})
`
const lapseScript = `${common}
for i = 4, rest - 1 do settle(ARGV[i], 0) end
return lapsed
`
const readScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local found = {}
for i = 1, #KEYS do found[i] = redis.call('HGETALL', KEYS[i]) end
return { string.format('%.0f', now), found }
`

type ScriptArguments = readonly (string | number)[]
type Scripts = {
  renewLeases(keys: number, ...rest: ScriptArguments): Promise<string[]>
  endLease(keys: number, ...rest: ScriptArguments): Promise<string[]>
  dueUsers(keys: 1, due: string, aheadMs: number): Promise<string[]>
  lapseLeases(keys: number, ...rest: ScriptArguments): Promise<string[]>
  readLeases(keys: number, ...rest: ScriptArguments): Promise<[now: string, found: string[][]]>
}
const scripts = {
  renewLeases: { lua: renewScript },
  endLease: { lua: endScript },
  dueUsers: { lua: dueScript },
  lapseLeases: { lua: lapseScript },
  readLeases: { lua: readScript },
}

/**
 * Opens the connection; does not wait for it. `prefix` begins every key and topic: the topic of a user is `<prefix>:<user>`, in a
 * Cluster `<prefix>:{<bucket>}:<user>`.
 */
export function openRedisLeases(settings: RedisSettings, prefix: () => string, { aheadMs }: Clock, outage: Outage): Leases {
  const node = randomUUID()
  const slots = slotsOf(settings)
  const connection = connectRedis(settings, { scripts }) as RedisConnection & Scripts
  reportTo(connection, 'leases', outage)
  const stopPinging = keepPinging(connection)
  let wasReady = false
  connection.once('ready', () =>
    setImmediate(() => {
      wasReady = true
    }),
  )
  /** What calls on some masters of a Cluster have returned while a call on another one failed: the next caller gets it. */
  const kept: LapsedDevice[] = []
  const together = async (calls: readonly Promise<LapsedDevice[]>[]): Promise<LapsedDevice[]> => {
    const results = await Promise.allSettled(calls)
    kept.push(...results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return kept.splice(0)
  }
  const dueOf = (slot: string) => `${prefix()}:${slot}due`
  const keyOf = (slot: string, userId: UserId) => `${prefix()}:${slot}devices:${userId}`
  /** The keys and first arguments of a script for users of one slot. */
  const given = (slot: string, userIds: readonly UserId[]): [keys: number, ...rest: ScriptArguments] => {
    const keys = [dueOf(slot), ...userIds.map((userId) => keyOf(slot, userId))]
    return [keys.length, ...keys, aheadMs(), slots.publishCommand, `${prefix()}:${slot}`, ...userIds]
  }
  const renewSome = async (slot: string, leases: readonly Lease[]): Promise<LapsedDevice[]> => {
    const userIds = [...new Set(leases.map(({ userId }) => userId))]
    const values = leases.flatMap(({ userId, deviceId, state, activeAgoMs, lastsMs, mayBegin }) => {
      const age = activeAgoMs === null ? -1 : Math.max(0, Math.round(activeAgoMs))
      return [userId, deviceId, deviceStates.indexOf(state), age, Math.round(lastsMs), Number(mayBegin)]
    })
    return lapsedOf(await connection.renewLeases(...given(slot, userIds), node, ...values))
  }
  const lapseSome = async (slot: string): Promise<LapsedDevice[]> => {
    const all: LapsedDevice[] = []
    for (let users = lapseMax; users === lapseMax; ) {
      const due = (await connection.dueUsers(1, dueOf(slot), aheadMs())).map((id) => userIdOf(Number(id)))
      if (due.length > 0) all.push(...lapsedOf(await connection.lapseLeases(...given(slot, due))))
      users = due.length
    }
    return all
  }
  const readSome = async (slot: string, userIds: readonly UserId[]) => {
    const keys = userIds.map((userId) => keyOf(slot, userId))
    const [now, found] = await connection.readLeases(keys.length, ...keys, aheadMs())
    return userIds.map((userId, i) => [userId, devicesOf(found[i] ?? [], Number(now))] as const)
  }

  return {
    async renew(leases) {
      const groups = groupBySlot(leases, ({ userId }) => slots.of(userId))
      return together(groups.map(([slot, some]) => renewSome(slot, some)))
    },
    async end(userId, deviceId) {
      return lapsedOf(await connection.endLease(...given(slots.of(userId), [userId]), deviceId))
    },
    async lapse() {
      return together(slots.all.map(lapseSome))
    },
    async read(userIds) {
      const groups = groupBySlot(userIds, slots.of)
      const devices = (await Promise.all(groups.map(([slot, some]) => readSome(slot, some)))).flat()
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
