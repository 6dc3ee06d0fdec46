// `npm run new-epoch`: gives the journal a new epoch, without asking for confirmation. Every earlier cursor is then refused with
// RESET OTHER_EPOCH, and every device reads its data again. Running nodes notice within a second.

import { statement } from '../store/reader.ts'
import { runCommand, withStore } from './command.ts'

const newEpoch = statement<{ epoch: string }>('journal_new_epoch', 'call journal_new_epoch(null)')

await runCommand(async () => {
  const [row] = await withStore(({ reader }) => reader.rows(newEpoch, []))
  return `The journal has the new epoch ${row?.epoch}: every device will read its data again.`
})
