// Times as people write them, in the language of the browser.

import { texts } from './texts.ts'

const { language: locale } = navigator
const clock = new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' })
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', weekday: 'long' })
const dayOfYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric' })
const shortDay = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' })
const whole = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' })
const mediumTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
const oneDayMs = 24 * 3_600_000

const inUnit = (unit: 'second' | 'minute' | 'hour', count: number) =>
  new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1 }).format(count)

/** A number of seconds, in the greatest unit that fits. */
export function durationOf(seconds: number): string {
  if (seconds >= 3_600) return inUnit('hour', seconds / 3_600)
  return seconds >= 60 ? inUnit('minute', seconds / 60) : inUnit('second', seconds)
}

/** The time of day. */
export const clockOf = (at: string) => clock.format(new Date(at))
/** The date and the time. */
export const wholeTimeOf = (at: string) => whole.format(new Date(at))
/** The date and the time, short. */
export const mediumTimeOf = (at: string) => mediumTime.format(new Date(at))
/** The calendar day, the same text for all times of one day. */
export const dayKeyOf = (at: string) => new Date(at).toDateString()

/** The name of the day of a time. */
export function dayOf(at: string): string {
  const now = new Date()
  if (dayKeyOf(at) === now.toDateString()) return texts.today
  if (dayKeyOf(at) === new Date(now.getTime() - oneDayMs).toDateString()) return texts.yesterday
  const date = new Date(at)
  return (date.getFullYear() === now.getFullYear() ? day : dayOfYear).format(date)
}

/** The time of day if it is today, otherwise the date. */
export const shortTimeOf = (at: string) =>
  dayKeyOf(at) === new Date().toDateString() ? clockOf(at) : shortDay.format(new Date(at))
