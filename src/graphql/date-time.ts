// The scalar DateTime: RFC 3339, parsed strictly and printed in a form that every client can read.

const form = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/
/** The longest accepted text. Longer fractions of a second are of no use. */
const lengthMax = 60

const minuteMs = 60_000
const [first, last] = [Date.parse('0001-01-01T00:00:00.000Z'), Date.parse('9999-12-31T23:59:59.999Z')]

/**
 * Parses an RFC 3339 date-time: with an offset, on a day that exists, within the years 0001 to 9999 in UTC. Drops digits beyond
 * milliseconds. A leap second becomes the second after it, as in all systems whose days have 86,400 seconds.
 * @returns null for anything else
 */
export function parseDateTime(text: string): Date | null {
  const match = text.length <= lengthMax ? form.exec(text) : null
  if (!match) return null
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number)
  const [fraction = '', sign = '+'] = [match[7], match[8]]
  const [offsetHour, offsetMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)]
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return null
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  const milliseconds = second === 60 ? 0 : Number(fraction.slice(0, 3).padEnd(3, '0'))
  date.setUTCHours(hour, minute, second, milliseconds)
  const at = date.getTime() - (sign === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute) * minuteMs
  if (at < first || at > last || (second === 60 && !isAfterLeapSecond(new Date(at)))) return null
  return new Date(at)
}

/** Leap seconds come before midnight UTC, at the end of June or December. */
function isAfterLeapSecond(at: Date): boolean {
  return at.getTime() % 86_400_000 === 0 && at.getUTCDate() === 1 && (at.getUTCMonth() === 0 || at.getUTCMonth() === 6)
}

/** Prints a time in UTC, in milliseconds. Clamps times outside the years 0001 to 9999 to the first or last moment of these. */
export function printDateTime(at: Date | number): string {
  return new Date(Math.min(Math.max(Number(at), first), last)).toISOString()
}
