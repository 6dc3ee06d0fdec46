// What a chaos run has seen: counts for its table, faults, and what was said to whom. The judge compares it with Postgres.

import type { Model } from './model.ts'
import type { View } from './view.ts'

/** One event as a device received it, or one fact as Postgres has it: its place, its kind, and what it is about. */
export type Seen = { readonly position: number; readonly tag: number; readonly kind: string; readonly subject: string }

/**
 * What a device was to receive without a hole: everything after `from`. `upTo` is the last place that it was told; the last
 * stretch of a device goes on to the end of the run.
 */
export type Stretch = { readonly from: number; upTo: number; readonly received: Seen[] }

/** What one snapshot said: how each conversation looks, by its global id, at a position. */
export type Snapshot = { readonly position: number; readonly userId: number; readonly views: ReadonlyMap<string, View> }

/** What has to hold at the place of an answer, and not only there or later. */
export type Claim = { readonly what: string; readonly position: number; readonly holds: (model: Model) => boolean }

/** One message that somebody wanted sent, with all that was answered to its attempts and copies. */
export type Sending = {
  readonly clientMessageId: string
  readonly senderId: number
  readonly text: string
  /** The ids that were answered: all alike, if all is well. */
  readonly ids: Set<string>
  /** Refusals, by code. */
  readonly refusals: Set<string>
  /** Attempts without an answer, or with one that leaves open what happened. */
  unanswered: number
  /** Whether it was one at a time: the next one of this sender was begun after its answer. */
  readonly isInTurn: boolean
}

/** The record of a run. */
export class Record {
  readonly counts = new Map<string, number>()
  readonly faults: string[] = []
  faultCount = 0
  readonly sendings: Sending[] = []
  readonly snapshots: Snapshot[] = []
  /** The places of facts that were answered to whoever caused them. */
  readonly places: { readonly what: string; readonly position: number; readonly tag: number }[] = []

  readonly claims: Claim[] = []

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0
  }

  /** Notes a breach of a promise. The first ones are kept in detail. */
  fault(what: string): void {
    this.faultCount += 1
    if (this.faults.length < 20) this.faults.push(what)
  }
}
