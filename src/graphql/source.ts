// Keeps the line and column of each node in a parsed document, and drops the text and tokens that the parser keeps. Comments,
// commas and white space take no memory once a document is parsed, and finding the location of an error takes constant time.

import {
  type ASTNode,
  type DocumentNode,
  type GraphQLError,
  type Location,
  Source,
  type SourceLocation,
  type Token,
} from 'graphql'

/** The lines and columns of a document's nodes. The position of an error is the number of a node. */
class Places extends Source {
  readonly lines: number[] = []
  readonly columns: number[] = []

  constructor() {
    super('')
  }
}

/** Replaces each node's location, which holds the text and all tokens, by its line and column. @returns the number of nodes */
export function keepPlacesOnly(document: DocumentNode): number {
  const places = new Places()
  const waiting: object[] = [document]
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) waiting.push(...value)
      else if (typeof value === 'object' && value !== null && 'kind' in value) waiting.push(value)
    }
    const { startToken } = (node as ASTNode).loc ?? {}
    if (!startToken) continue
    const number = places.lines.length
    places.lines.push(startToken.line)
    places.columns.push(startToken.column)
    // graphql-js reads the position, graphql-jit reads the token.
    const loc: Partial<Location> = {
      start: number,
      end: number,
      source: places,
      startToken: { line: 1, column: number + 1 } as Token,
    }
    Object.assign(node, { loc })
  }
  return places.lines.length
}

/** Adds to an error of the engine the lines and columns in the text that the client sent. */
export function withPlaces(error: GraphQLError): GraphQLError {
  const { source, positions } = error
  if (!(source instanceof Places)) return error
  const locations = positions?.flatMap((at): SourceLocation[] => {
    const [line, column] = [source.lines[at], source.columns[at]]
    return line === undefined || column === undefined ? [] : [{ line, column }]
  })
  return Object.assign(error, { locations })
}
