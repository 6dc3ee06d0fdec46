// `npm run push-failures`: lists the notifications that were abandoned in the last week, and the jobs that failed too often. With
// --retry it schedules them again.

import process from 'node:process'
import { StartError } from '../errors.ts'
import { listFailures, retryFailures } from '../push/jobs/failures.ts'
import { runCommand, withStore } from './command.ts'

const options = process.argv.slice(2)

await runCommand(async () => {
  if (options.length === 0) {
    const failures = await withStore(({ jobs }) => listFailures(jobs.reader))
    return [...failures.map((failure) => JSON.stringify(failure)), `${failures.length} given up`].join('\n')
  }
  if (options.join(' ') !== '--retry') throw new StartError('Usage: npm run push-failures [-- --retry]')
  const retried = await withStore(({ jobs }) => jobs.transaction(retryFailures))
  return `${retried} will be retried`
})
