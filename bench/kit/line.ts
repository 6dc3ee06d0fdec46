// A line of the bench: what it is given, and what it gives.

import type { Ground } from './ground.ts'

/** A goal, and what came out. */
export type Goal = { readonly goal: string; readonly measured: string; readonly isMet: boolean }

/** What a line measured. */
export type Result = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly goals: readonly Goal[]
  /** What one has to know to read the numbers. */
  readonly notes: readonly string[]
}

/** What a line is run with. */
export type Setting = {
  readonly ground: Ground
  /** Everything at a scale that shows only that it works. */
  readonly isSmall: boolean
  /** Also what takes very long: ten million messages. */
  readonly isLong: boolean
  say(text: string): void
}

/** A line. */
export type Line = { readonly name: string; readonly title: string; run(setting: Setting): Promise<Result> }
