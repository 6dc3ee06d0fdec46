// The names of the files of messages, which are searched beside their texts.

import { readAttachments } from '../attachment/row.ts'
import type { AttachmentId } from '../id.ts'
import type { MessageRow } from '../message/row.ts'
import type { Reader } from '../store/reader.ts'

type Attached = Pick<MessageRow, 'attachmentIds'>
/** Names by attachment. */
export type FileNames = ReadonlyMap<AttachmentId, string>

/** Reads the names of the files of these messages: nothing at all if they have none. */
export async function readFileNames(reader: Reader, messages: readonly Attached[]): Promise<FileNames> {
  const ids = messages.flatMap(({ attachmentIds }) => attachmentIds ?? [])
  return new Map((await readAttachments(reader, ids)).map(({ id, fileName }) => [id, fileName]))
}

/** The names of the files of a message, in their order. */
export const namesOf = ({ attachmentIds }: Attached, names: FileNames): string[] =>
  attachmentIds?.flatMap((id) => names.get(id) ?? []) ?? []
