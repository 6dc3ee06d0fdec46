// What the tests of search share: to wait for the index, and to ask.

import { readProgress } from '../../src/search/tables.ts'
import { eventually } from '../journal/ground.ts'
import type { Device } from '../support/device.ts'
import type { SearchMessagesQueryVariables } from '../support/generated/graphql.ts'
import type { Node } from '../support/node.ts'
import { SearchMessages } from './documents.ts'

/** Waits until the index has come as far as the journal. */
export async function indexed(node: Node, limitMs = 5_000): Promise<void> {
  await eventually(
    'the index is at the head',
    async () => {
      const { position, tag, walked } = await readProgress(node.app.store.reader)
      const head = node.app.journal.head()
      return walked === null && position === head.position && tag === head.tag
    },
    limitMs,
  )
}

/** What a search gives, as texts. */
export async function textsFound(
  device: Device,
  query: string,
  rest: Omit<SearchMessagesQueryVariables, 'query'> = {},
): Promise<string[]> {
  const { searchMessages } = await device.run(SearchMessages, { query, ...rest })
  return searchMessages.edges.map(({ node }) => node.text)
}
