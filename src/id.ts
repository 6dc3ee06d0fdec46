// Global ids: `<prefix>_<13 digits in base 36>`. Of fixed width, so that ids of one type sort as their numbers do, and a
// newer message's id is always the greater string. Opaque to clients.

import { badInput } from './errors.ts'

const prefixes = { User: 'usr', Session: 'ses', Conversation: 'cnv', Message: 'msg', Member: 'mbr', Invite: 'inv' } as const

/** The types that have a global id. */
export type IdType = keyof typeof prefixes

const width = 13
const form = /^([a-z]{3})_([0-9a-z]{13})(?:_([0-9a-z]{13}))?$/
const typeOfPrefix = new Map<string, IdType>(Object.entries(prefixes).map(([type, prefix]) => [prefix, type as IdType]))

/** The global id of the thing with this number (or pair of numbers: a member is a conversation and a user). */
export function encodeId(type: IdType, ...numbers: [number] | [number, number]): string {
  return [prefixes[type], ...numbers.map((n) => n.toString(36).padStart(width, '0'))].join('_')
}

/** The type and numbers of a global id, or null for a text that is none. */
export function findId(id: string): { type: IdType; numbers: number[] } | null {
  const [, prefix = '', ...digits] = form.exec(id) ?? []
  const type = typeOfPrefix.get(prefix)
  const numbers = digits.filter((d) => d !== undefined).map((d) => Number.parseInt(d, 36))
  if (!type || !numbers.every(Number.isSafeInteger) || numbers.length !== (type === 'Member' ? 2 : 1)) return null
  return { type, numbers }
}

/**
 * The number inside a global id of this type.
 * @throws ParleyError BAD_INPUT naming `argument`, where the text is no id of this type.
 */
export function parseId(type: Exclude<IdType, 'Member'>, id: string, argument: string): number {
  const found = findId(id)
  if (found?.type !== type || found.numbers[0] === undefined) throw badInput(argument, `is not the id of a ${type}`)
  return found.numbers[0]
}
