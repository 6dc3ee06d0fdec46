// npm run chaos -- --minutes 10 --seed 7: a long chaos run. Exits with 1 if it finds a broken promise.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { buildPrograms } from '../support/programs.ts'
import { runChaos } from './run.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    people: { type: 'string', default: '100' },
    redis: { type: 'string', default: 'single' },
    follow: { type: 'string', default: 'full' },
  },
})
const [minutes, seed, people] = [Number(values.minutes), Number(values.seed), Number(values.people)]
const { redis, follow } = values
if ((redis !== 'single' && redis !== 'cluster') || !(minutes > 0) || !Number.isSafeInteger(seed) || !(people >= 2)) {
  process.stderr.write(
    'usage: npm run chaos -- [--minutes 10] [--seed 7] [--people 100] [--redis single|cluster] [--follow full|both|digest]\n',
  )
  process.exit(2)
}
const say = (text: string) => process.stdout.write(`${text}\n`)
say(`seed ${seed}`)
await buildPrograms()
const { record, table } = await runChaos({
  seed,
  durationMs: minutes * 60_000,
  people,
  groups: Math.ceil(people / 3),
  thinkMs: people * 8,
  faultEveryMs: 2_000,
  arrangement: { redis, follow },
})
say(table)
say(
  `\n${[...record.counts]
    .sort()
    .map(([what, count]) => `${what}: ${count}`)
    .join('\n')}`,
)
for (const violation of record.violations) say(`\n${violation}`)
if (record.violationCount > 0) say(`\n${record.violationCount} violations, with seed ${seed}`)
process.exit(record.violationCount > 0 ? 1 : 0)
