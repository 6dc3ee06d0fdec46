// The door for what clients send: forms that are checked once, here, and trusted within.

import { z } from 'zod'
import { badInput } from '../errors.ts'

/** Texts that Postgres and JSON can carry unchanged: no U+0000, no half of a surrogate pair. */
const carriable = z
  .string()
  .refine((text) => !text.includes('\0'), 'must not hold the character U+0000')
  .refine((text) => text.isWellFormed(), 'must not hold half of a surrogate pair')

const lengthOf = (text: string) => [...text].length

/** A line of text that people see: trimmed, 1 to `max` characters (Unicode code points), no control characters. */
export function line(max: number): z.ZodType<string> {
  return carriable
    .transform((text) => text.trim())
    .refine((text) => text !== '', 'must not be empty')
    .refine((text) => lengthOf(text) <= max, `must have at most ${max} characters`)
    .refine((text) => !/\p{Cc}/u.test(text), 'must not hold control characters')
}

/** A text of several lines, kept as it is: at least one character that is not white space, at most `max` code points. */
export function prose(max: number): z.ZodType<string> {
  return carriable
    .refine((text) => text.trim() !== '', 'must not be empty')
    .refine((text) => text.length <= max || lengthOf(text) <= max, `must have at most ${max} characters`)
}

/** The same, where it may also be left empty: what is only white space becomes the empty text. */
export function note(max: number): z.ZodType<string> {
  return carriable
    .refine((text) => text.length <= max || lengthOf(text) <= max, `must have at most ${max} characters`)
    .transform((text) => (text.trim() === '' ? '' : text))
}
/** Makes a form that depends on a configured limit, once for each limit: zod compiles a form when it is first used. */
export function perLimit<Shape extends z.ZodType>(make: (max: number) => Shape): (max: number) => Shape {
  const made = new Map<number, Shape>()
  return (max) => {
    const known = made.get(max) ?? make(max)
    made.set(max, known)
    return known
  }
}

/** A moment to come, of the four-digit years that RFC 3339 knows. */
export const future = z
  .date()
  .refine((at) => at.getTime() > Date.now(), 'must lie in the future')
  .refine((at) => at.getUTCFullYear() <= 9_999, 'must lie before the year 10000')

/** A UUID of any version, in lower case. */
export const uuid = z.guid('must be a UUID').transform((text) => text.toLowerCase())

/**
 * Checks an input.
 * @throws ParleyError BAD_INPUT naming the first argument that is at fault.
 */
export function parseInput<Shape extends z.ZodType>(shape: Shape, input: unknown): z.output<Shape> {
  return parse(shape, input, ['input'])
}

/**
 * Checks the arguments of a field that has no single input.
 * @throws ParleyError BAD_INPUT naming the first argument that is at fault.
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
