// Validates input from clients. It is checked once, here, and trusted everywhere inside.

import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { badInput } from '../errors.ts'
import { faultOfLine, isVisible } from './line.ts'

/** Texts that UTF-8 can carry unchanged: no half of a surrogate pair. */
export const wellFormed = z.string().refine((text) => text.isWellFormed(), 'must not contain half of a surrogate pair')

/** Texts that Postgres and JSON can carry unchanged: no U+0000, no half of a surrogate pair. */
const carriable = wellFormed.refine((text) => !text.includes('\0'), 'must not contain the character U+0000')

/** The number of characters: Unicode code points. */
export const lengthOf = (text: string) => [...text].length

/** A line of text that people see: trimmed, 1 to `max` characters (Unicode code points), by the rules of line.ts. */
export function line(max: number): z.ZodType<string> {
  return carriable
    .transform((text) => text.trim())
    .refine((text) => text !== '', 'must not be empty')
    .refine((text) => lengthOf(text) <= max, `must have at most ${max} characters`)
    .check(({ value, issues }) => {
      const message = faultOfLine(value)
      if (message !== null) issues.push({ code: 'custom', input: value, message })
    })
}

/** A text of several lines, kept unchanged: at least one visible character, at most `max` code points. */
export function prose(max: number): z.ZodType<string> {
  return carriable
    .refine(isVisible, 'must not be empty')
    .refine((text) => text.length <= max || lengthOf(text) <= max, `must have at most ${max} characters`)
}

/** A text of several lines that may be empty. A text without visible characters becomes the empty text. */
export function note(max: number): z.ZodType<string> {
  return carriable
    .refine((text) => text.length <= max || lengthOf(text) <= max, `must have at most ${max} characters`)
    .transform((text) => (isVisible(text) ? text : ''))
}
/** Caches a form that depends on a configured limit, by limit: zod compiles each form on its first use. */
export function perLimit<Shape extends z.ZodType>(make: (max: number) => Shape): (max: number) => Shape {
  const made = new Map<number, Shape>()
  return (max) => {
    const known = made.get(max) ?? make(max)
    made.set(max, known)
    return known
  }
}

/** Bytes, at least one and at most `max`. */
export function bytesUpTo(max: number): z.ZodType<Buffer> {
  return z.custom<Buffer>().check(({ value, issues }) => {
    if (value.length === 0 || value.length > max)
      issues.push({ code: 'custom', input: value, message: `must have 1 to ${max} bytes` })
  })
}

/** A UUID of any version, in lower case. */
export const uuid = z.guid('must be a UUID')

/**
 * Checks an input.
 * @throws ParleyError BAD_INPUT naming the first invalid argument
 */
export function parseInput<Shape extends z.ZodType>(shape: Shape, input: unknown): z.output<Shape> {
  return parse(shape, input, ['input'])
}

/** Checks that a time in an input is in the future, by the node's clock. @throws ParleyError BAD_INPUT naming `input.<name>` */
export function requireFuture(name: string, at: Date | null | undefined, { now }: Clock): void {
  if (at && at.getTime() <= now()) throw badInput(`input.${name}`, 'must be in the future')
}

/** @throws ParleyError BAD_INPUT if a time of the input is in the future */
export function requirePast(name: string, at: Date | null | undefined, { now }: Clock): void {
  if (at && at.getTime() > now()) throw badInput(`input.${name}`, 'must be in the past')
}

/**
 * Checks the arguments of a field that has no single input.
 * @throws ParleyError BAD_INPUT naming the first invalid argument
 */
export function parseArguments<Shape extends z.ZodType>(shape: Shape, args: unknown): z.output<Shape> {
  return parse(shape, args, [])
}

function parse<Shape extends z.ZodType>(shape: Shape, value: unknown, path: readonly string[]): z.output<Shape> {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw badInput([...path, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'is not valid')
}
