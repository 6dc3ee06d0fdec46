// Quiet hours: when a user wants no notifications, by wall-clock time. Pure. When the clock changes, an hour that is skipped is
// in no span, and an hour that repeats is quiet both times.

import { LRUCache } from 'lru-cache'

/** The days of a week, in order. */
export const weekdays = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const
export type Weekday = (typeof weekdays)[number]

/**
 * A span of quiet that begins on each of these days. `from` and `until` are times of the form `22:00`. If `until` is not later
 * than `from`, the span ends on the next day: 22:00 to 07:00 spans midnight, and 00:00 to 00:00 is a whole day.
 */
export type QuietSpan = { readonly days: readonly Weekday[]; readonly from: string; readonly until: string }

/** A time of a day, from 00:00 to 23:59. */
export const timeForm = /^([01]\d|2[0-3]):[0-5]\d$/

const zonesKept = 600
const clocks = new LRUCache<string, Intl.DateTimeFormat>({ max: zonesKept })

/** Whether this is an IANA time zone name. Refuses offsets such as `+02:00`, which have no daylight saving time. */
export function isTimeZone(name: string): boolean {
  try {
    clockOf(name)
    return /^[A-Za-z]/.test(name)
  } catch {
    return false
  }
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone)
  if (known) return known
  const options = { timeZone, weekday: 'long', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  const made = new Intl.DateTimeFormat('en-US', options)
  clocks.set(timeZone, made)
  return made
}

/** The wall-clock time in a time zone: the weekday, with Monday as 0, and the minute of the day. */
function wallClock(at: Date, timeZone: string): { day: number; minute: number } {
  const parts = Object.fromEntries(
    clockOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  )
  const day = weekdays.indexOf(parts.weekday?.toUpperCase() as Weekday)
  return { day, minute: Number(parts.hour) * 60 + Number(parts.minute) }
}

const minuteOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** Whether a time is in one of these spans, in a valid time zone. The minute of `until` is not. */
export function isQuiet(spans: readonly QuietSpan[], timeZone: string, at: Date): boolean {
  if (spans.length === 0) return false
  const { day, minute } = wallClock(at, timeZone)
  const isOn = ({ days }: QuietSpan, which: number) => days.some((name) => weekdays.indexOf(name) === which)
  return spans.some((span) => {
    const [from, until] = [minuteOf(span.from), minuteOf(span.until)]
    if (from < until) return isOn(span, day) && minute >= from && minute < until
    return (isOn(span, day) && minute >= from) || (isOn(span, (day + 6) % 7) && minute < until)
  })
}
