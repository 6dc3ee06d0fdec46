// A short chaos run with the other tests. For a long one: npm run chaos -- --minutes 10.

import { expect, test } from 'vitest'
import { withSeed } from '../support/random.ts'
import { requiredEvents } from './generator.ts'
import { allFaults } from './nemesis.ts'
import { runChaos } from './run.ts'
import { sealedEvents } from './sealed-group.ts'

const durationMs = 13_000

test('D1 D2 D3 D4 D6 D9 A10 loses nothing and delivers nothing twice while everything breaks', { timeout: 180_000 }, () =>
  withSeed(async (random) => {
    const seed = random.whole(1, 2 ** 31)
    const { record, table } = await runChaos({ seed, durationMs, people: 12, groups: 5, thinkMs: 80, faultEveryMs: 700 })
    process.stdout.write(`${table}\n`)
    expect(record.violations.join('\n'), table).toBe('')
    // The run proves something only if all of this happened.
    for (const what of [...allFaults, ...requiredEvents, ...sealedEvents, 'sealed commits', 'deliveries'])
      expect(record.of(what), what).toBeGreaterThan(0)
  }),
)
