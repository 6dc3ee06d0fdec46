// The documents of an app: plain text, or the output of a code generator. The library never imports graphql.

/** The variables of an operation. */
export type Variables = { readonly [name: string]: unknown }

/**
 * A GraphQL operation with the types of its answer and variables: a string, a `TypedDocumentString` (codegen's
 * `documentMode: 'string'`), or a `TypedDocumentNode`, which needs the client option `print`.
 */
export type Document<Data, Vars> = string | { readonly __apiType?: (variables: Vars) => Data }

/** Turns a syntax tree into text: `print` of the package graphql. */
export type Print = (document: never) => string

/**
 * The text of a document.
 * @throws TypeError for a syntax tree if there is no `print`
 */
export function textOf<Data, Vars>(document: Document<Data, Vars>, print: Print | undefined): string {
  if (typeof document === 'string') return document
  if (!('kind' in document)) return String(document)
  if (!print) throw new TypeError('The document is a syntax tree. Pass `print` from the package graphql to the client.')
  return print(document as never)
}

const tokens =
  /"""[\s\S]*?(?<!\\)"""|"(?:\\.|[^"\\\n\r])*"|#.*|[{}()]|\bon\s+Subscription\b|\b(?:query|mutation|subscription|fragment)\b/g

/**
 * Adds `__typename` to every selection set, for normalising caches. Not at the root: a subscription may have only one field
 * there.
 */
export function withTypenames(text: string): string {
  let depth = 0
  let parentheses = 0
  let isFragment: boolean | null = null
  let isOnRoot = false
  return text.replace(tokens, (token) => {
    if (token === '(') parentheses += 1
    if (token === ')') parentheses -= 1
    // Braces in parentheses belong to values.
    if (parentheses > 0) return token
    if (token === '}') {
      depth -= 1
      if (depth === 0) isFragment = null
    } else if (token === '{') {
      const isRoot = isOnRoot || (depth === 0 && isFragment !== true)
      isOnRoot = false
      depth += 1
      return isRoot ? token : '{ __typename '
    } else if (/^on\s/.test(token)) isOnRoot = true
    else if (depth === 0 && /^\w/.test(token)) isFragment ??= token === 'fragment'
    return token
  })
}
