// `parley serve`: runs a node.

import { type Command, noMore } from './command.ts'

export const serveNode: Command = {
  summary: 'Runs a node, until SIGTERM or SIGINT.',
  usage: [''],
  help: 'The same as npm start, without building.',
  async run(given) {
    noMore(given)
    await import('../main.ts')
    return ''
  },
}
