// Where the parts of a parsed document stand, without the text and the tokens that the parser keeps: comments, commas and
// blanks of a document are gone once it is parsed, and the place of an error is looked up in constant time.

import {
  type ASTNode,
  type DocumentNode,
  type GraphQLError,
  type Location,
  Source,
  type SourceLocation,
  type Token,
} from 'graphql'

/** The places of a document's nodes. The position of an error is the number of a node. */
class Places extends Source {
  readonly lines: number[] = []
  readonly columns: number[] = []

  constructor() {
    super('')
  }
}

/** Replaces the location of each node, which holds the text and all tokens, by its line and column. Gives the number of nodes. */
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
    // graphql-js reads the position, graphql-jit the token.
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

/** Gives an error of the engine the lines and columns that a client looks for in the text that it sent. */
export function withPlaces(error: GraphQLError): GraphQLError {
  const { source, positions } = error
  if (!(source instanceof Places)) return error
  const locations = positions?.flatMap((at): SourceLocation[] => {
    const [line, column] = [source.lines[at], source.columns[at]]
    return line === undefined || column === undefined ? [] : [{ line, column }]
  })
  return Object.assign(error, { locations })
}
