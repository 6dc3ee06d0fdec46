// The board: one notice of each node, which others read when they need it. A notice is a lease: it lapses unless it is renewed.
// One contract suite runs on all implementations: test/bus/board.test.ts.

import type { Clock } from '../clock.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { Seal } from './seal.ts'

/** How long a notice stays, in milliseconds. */
export const noticeLapsesMs = 4_000
/** If all nodes are gone, Redis drops the board after this long. */
const keepS = 60

/** A notice, and when it lapses, in milliseconds from now. */
export type Notice = { readonly node: string; readonly text: string; readonly leftMs: number }

/** The notices of all nodes. Both methods reject if Redis does not answer within a second. */
export type Board = {
  /** Puts up the notice of a node, in place of its former one. */
  post(board: string, node: string, text: string): Promise<void>
  /** The notices that have not lapsed and that a node of this installation signed. */
  read(board: string): Promise<readonly Notice[]>
}

/** The board of an installation with a single process. */
export function openMemoryBoard(clock: Clock): Board {
  const boards = new Map<string, Map<string, { readonly text: string; readonly until: number }>>()
  return {
    async post(board, node, text) {
      const notices = boards.get(board) ?? new Map()
      boards.set(board, notices.set(node, { text, until: clock.monotonicMs() + noticeLapsesMs }))
    },
    async read(board) {
      const now = clock.monotonicMs()
      const notices = [...(boards.get(board) ?? [])]
      return notices.flatMap(([node, { text, until }]) => (until > now ? [{ node, text, leftMs: until - now }] : []))
    },
  }
}

// A field of the hash is the node, its value `until sealed`. Times are those of Redis, plus the time by which a test has turned
// its clock.
const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
`
const postScript = `${now}
redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f', now + ${noticeLapsesMs}) .. ' ' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ${keepS})
`
const readScript = `${now}
local fields, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #fields, 2 do
  local left = tonumber(string.match(fields[i + 1], '^%d+') or '0') - now
  if left <= 0 then
    redis.call('HDEL', KEYS[1], fields[i])
  else
    found[#found + 1] = { fields[i], string.format('%.0f', left), (string.gsub(fields[i + 1], '^%d+ ', '')) }
  end
end
return found
`

/** The scripts of the board, for its connection. */
export const boardScripts = {
  postNotice: { lua: postScript, numberOfKeys: 1 },
  readNotices: { lua: readScript, numberOfKeys: 1 },
} as const

/** The commands that these scripts are on their connection. */
export type BoardCommands = {
  postNotice(board: string, aheadMs: number, node: string, sealed: string): Promise<unknown>
  readNotices(board: string, aheadMs: number): Promise<[node: string, leftMs: string, sealed: string][]>
}

/** The board in Redis: a hash. */
export function openRedisBoard(connection: RedisConnection & BoardCommands, seal: Seal, { aheadMs }: Clock): Board {
  const place = (board: string, node: string) => `${board} ${node}`
  return {
    async post(board, node, text) {
      await connection.postNotice(board, aheadMs(), node, seal.close(place(board, node), text))
    },
    async read(board) {
      const found = await connection.readNotices(board, aheadMs())
      return found.flatMap(([node, leftMs, sealed]) => {
        const text = seal.open(place(board, node), sealed)
        return text === null ? [] : [{ node, text, leftMs: Number(leftMs) }]
      })
    },
  }
}
