// `parley push-failures`: the notifications that were given up, and the jobs that failed too often.

import { listFailures, retryFailures } from '../push/jobs/failures.ts'
import { type Command, noMore, readArguments } from './command.ts'
import { withStore } from './operator.ts'

export const pushFailures: Command = {
  summary: 'Lists the notifications of the last week that were given up, or retries them.',
  usage: ['', '--retry'],
  help: 'It prints one JSON object per line, newest first, and then the number of them.',
  async run(given) {
    const { values, positionals } = readArguments(given, { retry: { type: 'boolean' } })
    noMore(positionals)
    if (values.retry) return `${await withStore(({ jobs }) => jobs.transaction(retryFailures))} will be retried`
    const failures = await withStore(({ jobs }) => listFailures(jobs.reader))
    return [...failures.map((failure) => JSON.stringify(failure)), `${failures.length} given up`].join('\n')
  },
}
