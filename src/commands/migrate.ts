// `parley migrate`: brings the database up to date.

import { migrate } from '../store/migrate.ts'
import { type Command, noMore } from './command.ts'
import { withDatabase } from './operator.ts'

export const migrateDatabase: Command = {
  summary: 'Brings the database up to date, as each node does when it starts.',
  usage: [''],
  help: 'Running it before the first node of a new version starts shows what fails while the old nodes still serve.',
  async run(given) {
    noMore(given)
    const done: string[] = []
    await withDatabase(({ databaseUrl, log }) => migrate(databaseUrl, log, (_fields, sentence) => done.push(`${sentence}.`)))
    return done.join('\n') || 'The database is up to date.'
  },
}
