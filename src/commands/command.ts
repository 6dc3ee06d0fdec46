// What a subcommand of `parley` is, and how its arguments are read.

import { type ParseArgsConfig, parseArgs } from 'node:util'

/** A subcommand. */
export type Command = {
  /** What it does, in one line. */
  readonly summary: string
  /** Its arguments, one way of calling it per line. */
  readonly usage: readonly string[]
  /** More that `--help` says; empty if the lines above say everything. */
  readonly help: string
  /**
   * Runs it. Resolves with what to print.
   * @throws UsageError, or an error that `parley` explains
   */
  run(given: readonly string[]): Promise<string>
}

/** Invalid arguments: the process exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A result that is printed on standard output although the command did not succeed: the process exits with 1. */
export class FailedResult extends Error {
  override readonly name = 'FailedResult'
}

type ParsedArguments<Options extends ParseArgsConfig['options']> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true; strict: true }>
>

/** Reads arguments. @throws UsageError */
export function readArguments<const Options extends NonNullable<ParseArgsConfig['options']>>(
  given: readonly string[],
  options: Options,
): ParsedArguments<Options> {
  try {
    return parseArgs({ args: [...given], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The only argument. @throws UsageError if there is none, or more than one */
export function onlyOne(given: readonly string[], what: string): string {
  const [one, ...others] = given
  if (one === undefined || others.length > 0) throw new UsageError(`Give one ${what}.`)
  return one
}

/** Checks that nothing is left. @throws UsageError */
export function noMore(given: readonly string[]): void {
  if (given.length > 0) throw new UsageError(`Unexpected argument: ${given[0]}`)
}

/** A time in the future: a date or a time of ISO 8601, or so many days (`7d`) or hours (`12h`) from now. @throws UsageError */
export function readTime(text: string): Date {
  const [, number, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? []
  const ms = number === undefined ? Date.parse(text) : Date.now() + Number(number) * (unit === 'd' ? 86_400_000 : 3_600_000)
  if (Number.isNaN(ms)) throw new UsageError(`${text} is not a time: use 7d, 12h, 2026-12-31 or 2026-12-31T18:00:00Z.`)
  if (ms <= Date.now()) throw new UsageError(`${text} is in the past.`)
  return new Date(ms)
}
