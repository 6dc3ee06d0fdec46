// `parley migrate`: brings the database up to date.

import { readConfig } from '../config/read-config.ts'
import { openInstallation } from '../local/installation.ts'
import { openLog } from '../log/log.ts'
import { migrate } from '../store/migrate.ts'
import { type Command, noMore } from './command.ts'

export const migrateDatabase: Command = {
  summary: 'Brings the database up to date, as each node does when it starts.',
  usage: [''],
  help: 'Running it before the first node of a new version starts shows what fails while the old nodes still serve.',
  async run(given) {
    noMore(given)
    const config = readConfig()
    const log = openLog(config.logLevel === 'info' ? 'warn' : config.logLevel, 'parley')
    const done: string[] = []
    const { databaseUrl } = config
    const installation =
      databaseUrl === null ? await openInstallation(config, () => undefined) : { databaseUrl, close: async () => undefined }
    try {
      await migrate(installation.databaseUrl, log, (_fields, sentence) => done.push(`${sentence}.`))
    } finally {
      await installation.close()
    }
    return done.join('\n') || 'The database is up to date.'
  },
}
