// Publishes what this node appends to the other nodes, and subscribes to what they publish, in the way that PARLEY_FOLLOW says. In a
// Redis Cluster the topics are spread over the masters: a node publishes on one of them and subscribes to all.

import { randomInt } from 'node:crypto'
import type { Bus, Unsubscribe } from '../bus/bus.ts'
import type { Config } from '../config/config.ts'
import { type Batch, batchForm, partsOf } from './batch.ts'
import { type Announcement, announcementForm, digestOf, encodeDigest } from './digest.ts'
import type { NamedRows } from './named-row.ts'
import type { Parcels } from './parcels.ts'

/**
 * What a node publishes, and what it follows. `full`: whole batches. `digest`: digests, with parcels for those who hear. `both`: both,
 * for the time of a change between the two, so that nodes before and after it understand each other.
 */
export type FollowMode = Config['journal']['follow']

/** The announcements of one node. */
export class Announcer {
  readonly #bus: Bus
  readonly #mode: FollowMode
  readonly #rows: NamedRows
  readonly #parcels: Parcels
  readonly #topicOf: (name: string) => string
  /** The part of a name for the topics on which this node publishes. */
  readonly #slot: string

  constructor(bus: Bus, mode: FollowMode, rows: NamedRows, parcels: Parcels, topicOf: (name: string) => string) {
    this.#bus = bus
    this.#mode = mode
    this.#rows = rows
    this.#parcels = parcels
    this.#topicOf = topicOf
    this.#slot = bus.slots.all[randomInt(bus.slots.count)] ?? ''
  }

  /** Publishes a batch. The facts of rare writes change audiences, caches and sessions on every node, so they go whole. */
  publish(batch: Batch, isRare: boolean): void {
    if (this.#mode !== 'digest') this.#publishWhole('facts', batch)
    if (this.#mode === 'full') return
    const digest = isRare ? null : digestOf(batch)
    if (digest === null) {
      this.#publishWhole('digests', batch)
      return
    }
    this.#parcels.put(batch, this.#rows)
    this.#bus.publish(this.#topicOf(`${this.#slot}digests`), encodeDigest(digest))
  }

  /** Subscribes to the announcements of all nodes, this one included. */
  subscribe(listener: (announced: Announcement) => void): Promise<Unsubscribe[]> {
    const { slots } = this.#bus
    const facts = this.#mode === 'digest' ? [] : slots.all.map((slot) => `${slot}facts`)
    const digests = this.#mode === 'full' ? [] : slots.all.map((slot) => `${slot}digests`)
    return Promise.all([
      ...facts.map((name) => this.#bus.subscribe(this.#topicOf(name), batchForm, listener)),
      ...digests.map((name) => this.#bus.subscribe(this.#topicOf(name), announcementForm, listener)),
    ])
  }

  #publishWhole(name: string, batch: Batch): void {
    for (const part of partsOf(batch, this.#rows)) this.#bus.publish(this.#topicOf(`${this.#slot}${name}`), part)
  }
}
