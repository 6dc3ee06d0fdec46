// The checker of the encrypted group finds what it must find.

import { expect, test } from 'vitest'
import { accessOf, keysOfOthers, type SealedState } from './sealed-checker.ts'

/** A user who was there from 1 to 20, and again from 40. The epochs began at 10, 30 and 50. */
const state: SealedState = {
  messages: [],
  epochs: [
    { epoch: 1, position: 10 },
    { epoch: 2, position: 30 },
    { epoch: 3, position: 50 },
  ],
  intervals: new Map([
    [
      7,
      [
        { from: 1, to: 20 },
        { from: 40, to: Number.POSITIVE_INFINITY },
      ],
    ],
  ]),
}
const device = (...epochs: number[]) => ({
  epochs: new Map(epochs.map((epoch) => [epoch, new Set(['key'])])),
  user: { id: 'u', userId: 7, accessToken: '' },
})
const message = (position: number, epoch: number) => ({ position, epoch, key: 'k', senderId: 1 })

test('those who were in an epoch must have read what was said in it while they were there', () => {
  expect(accessOf(state, device(1), message(15, 1))).toBe('due')
  expect(accessOf(state, device(1, 3), message(55, 3))).toBe('due')
  // A device that has joined later.
  expect(accessOf(state, device(3), message(15, 1))).toBe('open')
  // The keys of the first time are forgotten.
  expect(accessOf(state, device(1, 3), message(45, 1))).toBe('open')
})

test('those who were gone must not have read it, and must not have the keys of what began meanwhile', () => {
  expect(accessOf(state, device(1), message(25, 1))).toBe('gone')
  expect(accessOf(state, device(1), message(35, 2))).toBe('gone')
  expect(keysOfOthers(state, device(1, 3))).toEqual([])
  expect(keysOfOthers(state, device(1, 2, 3))).toEqual([2])
})
