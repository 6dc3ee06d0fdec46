// Quiet hours by wall-clock time: a table of cases, and a comparison with a slow oracle, minute by minute.

import { expect, test } from 'vitest'
import { isQuiet, isTimeZone, type QuietSpan, weekdays } from '../../src/push/quiet-hours.ts'
import { Random } from '../support/random.ts'

const everyNight: QuietSpan = { days: [...weekdays], from: '22:00', until: '07:00' }
const fridayNight: QuietSpan = { days: ['FRIDAY'], from: '22:00', until: '07:00' }
const workday: QuietSpan = { days: ['MONDAY'], from: '09:00', until: '17:00' }
const sunday: QuietSpan = { days: ['SUNDAY'], from: '00:00', until: '00:00' }
const smallHours: QuietSpan = { days: ['SUNDAY'], from: '01:30', until: '02:30' }

test.each<[what: string, spans: QuietSpan[], zone: string, at: string, expected: boolean]>([
  ['without a span', [], 'UTC', '2026-11-21T23:00:00Z', false],
  ['the minute before it begins', [everyNight], 'Asia/Seoul', '2026-11-21T12:59:59Z', false],
  ['the minute in which it begins', [everyNight], 'Asia/Seoul', '2026-11-21T13:00:00Z', true],
  ['the last minute', [everyNight], 'Asia/Seoul', '2026-11-21T21:59:59Z', true],
  ['the minute in which it ends', [everyNight], 'Asia/Seoul', '2026-11-21T22:00:00Z', false],
  ['over midnight, on its day', [fridayNight], 'UTC', '2026-11-20T23:59:00Z', true],
  ['over midnight, on the day after', [fridayNight], 'UTC', '2026-11-21T06:59:00Z', true],
  ['over midnight, the evening after', [fridayNight], 'UTC', '2026-11-21T22:00:00Z', false],
  ['over midnight, the morning before', [fridayNight], 'UTC', '2026-11-20T06:59:00Z', false],
  ['over midnight, from Sunday into Monday', [{ ...fridayNight, days: ['SUNDAY'] }], 'UTC', '2026-11-23T01:00:00Z', true],
  ['within a day', [workday], 'UTC', '2026-11-23T09:00:00Z', true],
  ['within a day, at its end', [workday], 'UTC', '2026-11-23T17:00:00Z', false],
  ['within a day, on another one', [workday], 'UTC', '2026-11-24T09:00:00Z', false],
  ['a whole day, at its first minute', [sunday], 'Europe/Berlin', '2026-11-21T23:00:00Z', true],
  ['a whole day, at its last minute', [sunday], 'Europe/Berlin', '2026-11-22T22:59:59Z', true],
  ['a whole day, the day after', [sunday], 'Europe/Berlin', '2026-11-22T23:00:00Z', false],
  ['a zone with another date', [sunday], 'Pacific/Auckland', '2026-11-21T12:00:00Z', true],
  ['one of two spans', [workday, sunday], 'UTC', '2026-11-22T12:00:00Z', true],
  // In Berlin 2026-03-29 02:00 becomes 03:00, and 2026-10-25 03:00 becomes 02:00.
  ['clock forward: the last minute before', [smallHours], 'Europe/Berlin', '2026-03-29T00:59:00Z', true],
  ['clock forward: its end is skipped, and it is over', [smallHours], 'Europe/Berlin', '2026-03-29T01:00:00Z', false],
  ['clock back: the first time', [smallHours], 'Europe/Berlin', '2026-10-25T00:15:00Z', true],
  ['clock back: between', [smallHours], 'Europe/Berlin', '2026-10-25T00:45:00Z', false],
  ['clock back: the second time', [smallHours], 'Europe/Berlin', '2026-10-25T01:15:00Z', true],
  ['clock forward: the morning follows the wall clock', [everyNight], 'Europe/Berlin', '2026-03-29T04:59:00Z', true],
  ['clock forward: and ends by it', [everyNight], 'Europe/Berlin', '2026-03-29T05:00:00Z', false],
])('N5 quiet hours: %s', (_what, spans, zone, at, expected) => {
  expect(isQuiet(spans, zone, new Date(at))).toBe(expected)
})

test('N5 a time zone is an IANA name, and not an offset', () => {
  expect(['UTC', 'Asia/Seoul', 'Europe/Berlin'].every(isTimeZone)).toBe(true)
  expect(['', 'Mars/Olympus', '+02:00', 'Asia/Seoul\0', 'x'.repeat(50)].some(isTimeZone)).toBe(false)
})

/** Every quiet minute of a week, found by walking through each span minute by minute. */
function quietMinutes(spans: readonly QuietSpan[]): Set<number> {
  const quiet = new Set<number>()
  for (const { days, from, until } of spans) {
    for (const day of days) {
      const at = (time: string) => Number(time.split(':')[0]) * 60 + Number(time.split(':')[1])
      let minute = weekdays.indexOf(day) * 1_440 + at(from)
      do {
        quiet.add(minute % 10_080)
        minute += 1
      } while (minute % 1_440 !== at(until))
    }
  }
  return quiet
}

test('N5 quiet hours agree with an oracle that checks every minute, also across changes of the clock', () => {
  const random = new Random(20_261_121)
  const turns: [zone: string, around: string][] = [
    ['Europe/Berlin', '2026-03-29'],
    ['Europe/Berlin', '2026-10-25'],
    ['America/New_York', '2026-03-08'],
    ['America/Santiago', '2026-09-06'], // at midnight: a day that begins at one o'clock
    ['Australia/Lord_Howe', '2026-04-05'], // by half an hour
    ['Africa/Casablanca', '2026-02-15'],
    ['Asia/Seoul', '2026-11-21'],
    ['Asia/Kathmandu', '2026-06-01'],
  ]
  const time = () => `${String(random.whole(0, 23)).padStart(2, '0')}:${String(random.whole(0, 59)).padStart(2, '0')}`
  for (const [zone, around] of turns) {
    const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
    const spans = Array.from({ length: 1 + random.whole(0, 2) }, () => {
      const from = time()
      const days = weekdays.filter(() => random.whole(0, 1) === 0)
      return { days: days.length > 0 ? days : (['SUNDAY'] as const), from, until: random.whole(0, 4) === 0 ? from : time() }
    })
    const quiet = quietMinutes(spans)
    const start = Date.parse(`${around}T00:00:00Z`) - 2 * 86_400_000
    for (let minute = 0; minute < 4 * 1_440; minute += 1) {
      const at = new Date(start + minute * 60_000 + random.whole(0, 59_999))
      const [date = '', clock = ''] = wall.format(at).split(' ')
      const day = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7
      const expected = quiet.has(day * 1_440 + Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5)))
      expect(isQuiet(spans, zone, at), `${zone} ${at.toISOString()} ${JSON.stringify(spans)}`).toBe(expected)
    }
  }
})
