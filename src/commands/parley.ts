#!/usr/bin/env node
// `parley`: what operators do on the command line. It exits with 0 on success, 1 on failure, and 2 for invalid arguments.

import { ConfigError } from '../config/config.ts'
import { ParleyError, StartError } from '../errors.ts'
import { type Command, FailedResult, UsageError } from './command.ts'
import { doctor } from './doctor.ts'
import { exportFile } from './export.ts'
import { importFile } from './import.ts'
import { invitations } from './invitations.ts'
import { migrateDatabase } from './migrate.ts'
import { newEpoch } from './new-epoch.ts'
import { pushFailures } from './push-failures.ts'
import { secrets } from './secrets.ts'
import { serveNode } from './serve.ts'
import { serverKeys } from './server-keys.ts'
import { users } from './users.ts'

const commands: Readonly<Record<string, Command>> = {
  serve: serveNode,
  migrate: migrateDatabase,
  doctor,
  users,
  invitations,
  secrets,
  'server-keys': serverKeys,
  import: importFile,
  export: exportFile,
  'new-epoch': newEpoch,
  'push-failures': pushFailures,
}

const overview = [
  'Usage: parley <command> [arguments]',
  '',
  ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(14)} ${summary}`),
  '',
  'parley <command> --help says more. Commands read the same environment as a node (docs/operations.md).',
].join('\n')

const usageOf = (name: string, { usage }: Command) =>
  usage.map((line, i) => `${i === 0 ? 'Usage: ' : '       '}parley ${name}${line && ` ${line}`}`).join('\n')

const asksForHelp = (argument: string | undefined) => argument === '--help' || argument === '-h' || argument === 'help'

/** Runs what the arguments say. @returns the exit code */
async function main([name, ...given]: readonly string[]): Promise<number> {
  if (name === undefined || asksForHelp(name)) {
    print(name === undefined ? process.stderr : process.stdout, overview)
    return name === undefined ? 2 : 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    print(process.stderr, `There is no command ${name}.\n\n${overview}`)
    return 2
  }
  if (given.some((one) => one === '--help' || one === '-h')) {
    print(process.stdout, [command.summary, '', usageOf(name, command), ...(command.help ? ['', command.help] : [])].join('\n'))
    return 0
  }
  try {
    const result = await command.run(given)
    if (result !== '') print(process.stdout, result)
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      print(process.stderr, `${error.message}\n${usageOf(name, command)}`)
      return 2
    }
    if (error instanceof FailedResult) print(process.stdout, error.message)
    else if (error instanceof ConfigError || error instanceof StartError || error instanceof ParleyError)
      print(process.stderr, error.message)
    else print(process.stderr, String((error as Error).stack))
    return 1
  }
}

function print(stream: NodeJS.WritableStream, text: string): void {
  stream.write(`${text}\n`)
}

const exitCode = await main(process.argv.slice(2))
// A node that could not start has set it already.
if (exitCode !== 0) process.exitCode = exitCode
