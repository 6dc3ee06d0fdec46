// Persisted operations: documents that clients name by their id instead of sending them, as in the manifest that codegen writes
// (`persistedDocuments`). The id comes as `documentId`, or as Apollo's `extensions.persistedQuery.sha256Hash`. On both transports.

import { GraphQLError } from 'graphql'
import type { PersistedOperations } from '../config/config.ts'
import { ParleyError } from '../errors.ts'

/** Apollo's word for a server that keeps no documents: the client then sends the document. */
const notSupported = 'PersistedQueryNotSupported'

/** What a request says about its document. */
export type DocumentRequest = { readonly query?: unknown; readonly documentId?: unknown; readonly extensions?: unknown }

/**
 * Finds the text of the document that a request names or sends.
 * @returns null if it has none: what then is wrong with it, others say
 * @throws GraphQLError if the node does not know the id, or runs persisted operations only
 */
export function findDocumentText(request: DocumentRequest, persisted: PersistedOperations | null): string | null {
  const { query } = request
  const id = idIn(request)
  const known = id === null ? undefined : persisted?.documents.get(id)
  if (known !== undefined) return known
  const text = typeof query === 'string' && query !== '' ? query : null
  if (persisted?.isOnly && (text !== null || id !== null)) throw onlyPersisted()
  if (text === null && id !== null) throw new GraphQLError(notSupported)
  return text
}

function idIn({ documentId, extensions }: DocumentRequest): string | null {
  const { persistedQuery } = (extensions ?? {}) as { persistedQuery?: { sha256Hash?: unknown } | null }
  const id = documentId ?? persistedQuery?.sha256Hash ?? (persistedQuery ? '' : null)
  return typeof id === 'string' ? id.replace(/^sha256:/, '') : null
}

function onlyPersisted(): GraphQLError {
  const message = 'This server runs persisted operations only, and does not know this one.'
  return new GraphQLError(message, { originalError: new ParleyError('OPERATION_REFUSED', message) })
}
