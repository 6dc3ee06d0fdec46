// The documents that an app asks with: plain text, or what a code generator makes of it. The library never imports graphql.

/** What an operation is given. */
export type Variables = { readonly [name: string]: unknown }

/**
 * An operation of GraphQL with the types of its answer and its variables: a string, a `TypedDocumentString` (codegen's
 * `documentMode: 'string'`), or a `TypedDocumentNode`, for which the client needs its option `print`.
 */
export type Document<Data, Vars> = string | { readonly __apiType?: (variables: Vars) => Data }

/** Makes text of a syntax tree: `print` of the package graphql. */
export type Print = (document: never) => string

/**
 * The text of a document.
 * @throws TypeError for a syntax tree where there is no `print`
 */
export function textOf<Data, Vars>(document: Document<Data, Vars>, print: Print | undefined): string {
  if (typeof document === 'string') return document
  if (!('kind' in document)) return String(document)
  if (!print) throw new TypeError('This document is a syntax tree: give the client `print` of the package graphql')
  return print(document as never)
}
