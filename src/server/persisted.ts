// Parley does not support automatic persisted queries. It tells a client that sends only the hash of a document so in the words
// of that protocol; the client then sends the document.

/** The error message of the protocol. */
export const notPersisted = 'PersistedQueryNotSupported'

/** Whether a request has the hash of a document but not the document. */
export function isPersistedOnly(request: { query?: unknown; extensions?: unknown } | null | undefined): boolean {
  const { query, extensions } = request ?? {}
  return !query && typeof extensions === 'object' && extensions !== null && 'persistedQuery' in extensions
}
