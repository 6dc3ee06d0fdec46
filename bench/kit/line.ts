// A line of the bench: its input and its result.

import type { Backends } from './backends.ts'

/** A goal, and what was measured. */
export type Goal = { readonly goal: string; readonly measured: string; readonly isMet: boolean }

/** A figure that later runs are compared with, once for each round. A ratio within a round says more than an absolute number. */
export type Figure = { readonly better: 'lower' | 'higher'; readonly rounds: readonly number[] }

/** The result of a line. */
export type Result = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly goals: readonly Goal[]
  /** What a reader must know to understand the numbers. */
  readonly notes: readonly string[]
  readonly figures: { readonly [name: string]: Figure }
  /** Plots as SVG, by file name. The section of the page shows them. */
  readonly plots?: { readonly [file: string]: string }
}

/** The input of a line. */
export type Setting = {
  readonly backends: Backends
  /** Everything at a tiny scale, which only shows that it works. */
  readonly isSmall: boolean
  /** Also the parts that take very long: ten million messages. */
  readonly isLong: boolean
  say(text: string): void
}

/** A line. */
export type Line = { readonly name: string; readonly title: string; run(setting: Setting): Promise<Result> }
