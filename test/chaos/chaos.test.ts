// A short chaos run in every run of the tests. The long one: npm run chaos -- --minutes 10.

import { expect, test } from 'vitest'
import { withSeed } from '../journal/random.ts'
import { runChaos } from './run.ts'
import { allMishaps } from './weather.ts'

const lastsMs = 13_000

test('D1 D2 D3 D4 D6 D9 A10 nothing is lost and nothing comes twice while everything breaks', { timeout: 180_000 }, () =>
  withSeed(async (random) => {
    const seed = random.whole(1, 2 ** 31)
    const { record, table } = await runChaos({ seed, lastsMs, people: 12, groups: 5, thinkMs: 80, mishapEveryMs: 700 })
    process.stdout.write(`${table}\n`)
    expect(record.faults, table).toEqual([])
    // It is a test only if all of it happened.
    for (const what of [...allMishaps, 'copies', 'dropped answers', 'sends acknowledged', 'deliveries', 'add answered']) {
      expect(record.of(what), what).toBeGreaterThan(0)
    }
  }),
)
