// The record of a chaos run: counts, violations, and every answer and event. The checker compares it with Postgres.

import type { Model } from './model.ts'
import type { ConversationView } from './view.ts'

/** An event as a device received it, or a fact as Postgres has it: its place, kind and subject. */
export type EventRecord = {
  readonly position: number
  readonly tag: number
  readonly kind: string
  readonly subject: string
  /** The version of the message that the device saw. */
  readonly version?: number | undefined
}

/**
 * A segment of a device's stream, from one snapshot to the next: every fact after `from` is due, without a gap. `upTo` is the
 * last position that the device received; the last segment of a device extends to the end of the run.
 */
export type Segment = { readonly from: number; upTo: number; readonly received: EventRecord[] }

/** A snapshot: the view of each conversation, by global id, at a position. */
export type Snapshot = {
  readonly position: number
  readonly userId: number
  readonly views: ReadonlyMap<string, ConversationView>
}

/** What must be true at the position of an answer, whatever happens later. */
export type Claim = { readonly what: string; readonly position: number; readonly holds: (model: Model) => boolean }

/** A message to send, with the answers to all of its attempts and copies. */
export type SendRecord = {
  readonly clientMessageId: string
  readonly senderId: number
  readonly text: string
  /** The message ids in the answers. There must be only one. */
  readonly ids: Set<string>
  /** The codes of refusals. */
  readonly refusals: Set<string>
  /** How many attempts had no answer, or an answer that leaves the outcome open. */
  unanswered: number
  /** What its file says; null if it has none. */
  readonly file: string | null
  /** Whether the sender waited for its answer before the next message. */
  readonly isSequential: boolean
}

/** The record of a run. */
export class RunRecord {
  readonly counts = new Map<string, number>()
  readonly violations: string[] = []
  violationCount = 0
  readonly sends: SendRecord[] = []
  readonly snapshots: Snapshot[] = []
  /** The places of facts in answers. */
  readonly places: { readonly what: string; readonly position: number; readonly tag: number }[] = []
  readonly claims: Claim[] = []

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0
  }

  /** Records a broken promise. Only the first ones are kept in detail. */
  violation(what: string): void {
    this.violationCount += 1
    if (this.violations.length < 20) this.violations.push(what)
  }
}
