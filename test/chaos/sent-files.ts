// After the repairs: every file of an acknowledged message is there with its bytes, unless its message was deleted.

import { SentFiles } from './documents.ts'
import { ask, type Endpoint } from './endpoint.ts'
import { type Person, picture } from './person.ts'
import type { RunRecord } from './record.ts'

/** Compares the files with what was sent. Their senders load them, as long as they are members. */
export async function checkFiles(people: readonly Person[], endpoint: Endpoint, record: RunRecord): Promise<void> {
  const senders = new Map(people.map((person) => [person.userId, person]))
  for (const { file, ids, senderId, clientMessageId } of record.sends) {
    const [id] = ids
    const sender = senders.get(senderId)
    if (file === null || id === undefined || !sender) continue
    const outcome = await ask(endpoint, SentFiles, { id }, sender.accessToken)
    const node = outcome.status === 'answered' ? outcome.data.node : null
    if (!node || !('attachments' in node)) continue // the sender has left
    if (node.deletedAt !== null) {
      if (node.attachments.length > 0) record.violation(`the deleted message ${id} still has a file`)
      continue
    }
    const [attachment, ...others] = node.attachments
    record.count('files checked')
    if (!attachment || others.length > 0) record.violation(`D1 ${id} has ${node.attachments.length} files, and was sent with one`)
    else if (attachment.state !== 'READY') record.violation(`the file of ${id} is ${attachment.state}`)
    else if (attachment.fileName !== `${clientMessageId}.bin`) record.violation(`D1 ${id} has the file ${attachment.fileName}`)
    else if (attachment.url) {
      const response = await fetch(`http://127.0.0.1:${endpoint.port}${attachment.url}`)
      const body = await response.text()
      if (response.status !== 200) record.violation(`the file of ${id} was answered with ${response.status}`)
      if (file !== picture && body !== file) record.violation(`D1 the file of ${id} has other bytes than were sent`)
    }
  }
}
