// `parley push-failures`: the notifications that were given up, and the jobs that failed too often.

import { listFailures, retryFailures } from '../push/jobs/failures.ts'
import { type Command, readArguments, UsageError } from './command.ts'
import { withStore } from './operator.ts'

export const pushFailures: Command = {
  summary: 'Lists the notifications of the last week that were given up, or retries them.',
  usage: ['', '--retry'],
  help: 'It prints a JSON object a line, the newest first, and then their number.',
  async run(given) {
    const { values, positionals } = readArguments(given, { retry: { type: 'boolean' } })
    if (positionals.length > 0) throw new UsageError(`${positionals[0]} is no argument of push-failures.`)
    if (values.retry) return `${await withStore(({ jobs }) => jobs.transaction(retryFailures))} will be retried`
    const failures = await withStore(({ jobs }) => listFailures(jobs.reader))
    return [...failures.map((failure) => JSON.stringify(failure)), `${failures.length} given up`].join('\n')
  },
}
