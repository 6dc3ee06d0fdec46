// Repeated log lines become one line per interval, with a count.

import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RepeatLog } from '../../src/log/repeats.ts'

let lines: Record<string, unknown>[]
let repeats: RepeatLog
const intervalMs = 10_000

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  const write = (line: Buffer, _encoding: string, done: () => void) => {
    lines.push(JSON.parse(String(line)))
    done()
  }
  repeats = new RepeatLog(pino({ level: 'info', base: null, timestamp: false }, new Writable({ write })))
})
afterEach(() => {
  repeats.close()
  vi.useRealTimers()
})

test('a flood makes one line at once, and one per interval with its count', () => {
  for (let i = 1; i <= 1_000; i += 1) repeats.note('warn', 'FULL', { code: 'FULL', i }, 'refused')
  expect(lines).toEqual([{ level: 40, msg: 'refused', code: 'FULL', i: 1 }])
  vi.advanceTimersByTime(intervalMs)
  expect(lines.slice(1)).toEqual([{ level: 40, msg: 'refused', code: 'FULL', i: 1_000, repeats: 999 }])
  repeats.note('warn', 'FULL', { code: 'FULL' }, 'refused')
  vi.advanceTimersByTime(intervalMs)
  expect(lines.slice(2)).toEqual([{ level: 40, msg: 'refused', code: 'FULL', repeats: 1 }])
  vi.advanceTimersByTime(2 * intervalMs)
  expect(lines).toHaveLength(3)
  repeats.note('warn', 'FULL', { code: 'FULL' }, 'refused')
  expect(lines[3]).toEqual({ level: 40, msg: 'refused', code: 'FULL' })
})

test('a different key or message has a line of its own; lines below the level are dropped', () => {
  repeats.note('info', 'a', {}, 'one')
  repeats.note('info', 'b', {}, 'one')
  repeats.note('info', 'a', {}, 'two')
  repeats.note('debug', 'a', {}, 'three')
  expect(lines.map(({ msg }) => msg)).toEqual(['one', 'one', 'two'])
})

test('memory and lines are bounded for any number of keys', () => {
  for (let i = 0; i < 5_000; i += 1) repeats.note('info', `${i}`, { i }, 'refused')
  expect(lines).toHaveLength(1_001)
  vi.advanceTimersByTime(intervalMs)
  expect(lines.slice(1_001)).toEqual([{ level: 30, msg: 'refused', i: 4_999, repeats: 3_999 }])
})

test('closing logs the remaining counts', () => {
  repeats.note('info', 'a', {}, 'one')
  repeats.note('info', 'a', {}, 'one')
  repeats.close()
  expect(lines.at(-1)).toEqual({ level: 30, msg: 'one', repeats: 1 })
})
