// Checks that the nodes of one installation have the same secrets. When a node starts, it stores the ids of its secrets in the
// database, and compares them with those of the node that started last. It logs a difference and starts nevertheless, because
// replacing a leaked secret makes such a difference on purpose.

import type { Keys } from '../keys.ts'
import type { Log } from '../log/log.ts'
import { type Reader, statement } from './reader.ts'

// The subquery sees the row as it was before the statement.
const note = statement<{ before: string[] | null }>(
  'token_keys_note',
  `insert into token_keys(key_ids) values ($1)
     on conflict (one) do update set key_ids = excluded.key_ids, noted_at = now()
     returning (select key_ids from token_keys) as before`,
)

/** Stores the ids of this node's secrets, and logs an error if they do not match those of the node that started last. */
export async function noteKeys(reader: Reader, keys: Keys, log: Log): Promise<void> {
  const mine = keys.map(({ id }) => id)
  const [row] = await reader.rows(note, [mine])
  const fault = findFault(mine, row?.before ?? mine)
  if (fault !== null) log.error({ mine, theirs: row?.before }, `PARLEY_TOKEN_SECRET: ${fault}`)
}

/** What is wrong with the lists of two nodes, whose first secret signs; null if each node accepts the other's signatures. */
function findFault(mine: readonly string[], theirs: readonly string[]): string | null {
  const [isRead, canRead] = [theirs.includes(mine[0] ?? ''), mine.includes(theirs[0] ?? '')]
  if (isRead && canRead) return null
  if (!isRead && !canRead) {
    return 'the node that started last on this database has another secret. Each refuses the tokens and messages of the other: set the same list on all nodes. If you replaced the secret on purpose, stop the nodes that still have the old one; everybody has to log in again'
  }
  return isRead
    ? 'the node that started last on this database signs with a secret that this node does not list, so its tokens and messages are refused here: add that secret to the list'
    : 'this node signs with a secret that the node that started last on this database does not list, so its tokens and messages are refused there: add a new secret at the end of the list on all nodes before you put it first'
}
