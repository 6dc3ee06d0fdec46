// `parley serve`: runs a node.

import { type Command, UsageError } from './command.ts'

export const serveNode: Command = {
  summary: 'Runs a node, until SIGTERM or SIGINT.',
  usage: [''],
  help: 'The same as npm start, without building.',
  async run(given) {
    if (given.length > 0) throw new UsageError('serve takes no arguments.')
    await import('../main.ts')
    return ''
  },
}
