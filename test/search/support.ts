// Shared by the search tests: waiting for the index, and searching.

import { readProgress, sealOf } from '../../src/search/tables.ts'
import { eventually } from '../journal/setup.ts'
import type { Device } from '../support/device.ts'
import type { SearchMessagesQueryVariables } from '../support/generated/graphql.ts'
import type { Node } from '../support/node.ts'
import { SearchMessages } from './documents.ts'

/** Waits until the index has reached the end of the journal. */
export async function indexed(node: Node, limitMs = 5_000): Promise<void> {
  await eventually(
    'the index is at the head',
    async () => {
      const progress = await readProgress(node.app.store.reader)
      const { position, tag, walked } = progress
      const head = node.app.journal.head()
      return walked === null && progress.seal === sealOf(progress) && position === head.position && tag === head.tag
    },
    limitMs,
  )
}

/** The result of a search, as texts. */
export async function textsFound(
  device: Device,
  query: string,
  rest: Omit<SearchMessagesQueryVariables, 'query'> = {},
): Promise<string[]> {
  const { searchMessages } = await device.run(SearchMessages, { query, ...rest })
  return searchMessages.edges.map(({ node }) => node.text)
}
