// `parley new-epoch`: gives the journal a new epoch. Every earlier cursor is then refused with RESET OTHER_EPOCH, and every device
// reads its data again. Running nodes notice within a second.

import { statement } from '../store/reader.ts'
import { type Command, noMore } from './command.ts'
import { withStore } from './operator.ts'

const begin = statement<{ epoch: string }>('journal_new_epoch', 'call journal_new_epoch(null)')

export const newEpoch: Command = {
  summary: 'Gives the journal a new epoch: every device reads its data again.',
  usage: [''],
  help: 'It asks for no confirmation. When to use it: docs/operations.md, "Backup and restore".',
  async run(given) {
    noMore(given)
    const [row] = await withStore(({ reader }) => reader.rows(begin, []))
    return `The journal has the new epoch ${row?.epoch}: every device will read its data again.`
  },
}
