// A Redis Cluster spreads topics and keys over its masters by the text in braces in their names. A script may use only keys of
// one such slot, so what it changes together has the same braces: each user and each conversation belongs to a bucket. On a single
// Redis there are no buckets, and names have no braces.

import type { RedisSettings } from '../config/redis-settings.ts'

/** How names are spread. */
export type Slots = {
  /** How many buckets there are. */
  readonly count: number
  /** The part of a name for the bucket of a user or a conversation: `{7}:`, or nothing. */
  of(id: number): string
  /** The parts of names for all buckets. */
  readonly all: readonly string[]
  /** How Redis publishes: to the subscribers of a slot, or to all. */
  readonly publishCommand: 'PUBLISH' | 'SPUBLISH'
}

/** Groups items by their slot. */
export function groupBySlot<Item>(items: readonly Item[], slotOf: (item: Item) => string): [slot: string, items: Item[]][] {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const group = groups.get(slotOf(item))
    if (group) group.push(item)
    else groups.set(slotOf(item), [item])
  }
  return [...groups]
}

/** Enough for as many masters. Each node looks for lapsed leases in every bucket once a second. */
const bucketCount = 32

/** No buckets: a single Redis, or none. */
export const oneSlot: Slots = { count: 1, of: () => '', all: [''], publishCommand: 'PUBLISH' }

const partOf = (bucket: number) => `{${bucket}}:`
const clusterSlots: Slots = {
  count: bucketCount,
  of: (id) => partOf(Math.abs(id) % bucketCount),
  all: Array.from({ length: bucketCount }, (_, bucket) => partOf(bucket)),
  publishCommand: 'SPUBLISH',
}

/** How the names of topics and keys are spread over this Redis. */
export const slotsOf = ({ mode }: RedisSettings): Slots => (mode === 'cluster' ? clusterSlots : oneSlot)
