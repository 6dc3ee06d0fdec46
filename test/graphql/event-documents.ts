// Random documents that follow events: all that a client may select of each type of event, in every form of the language.

import {
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  parse,
  validate,
} from 'graphql'
import { documentMax, requireSize } from '../../src/graphql/measure.ts'
import { isShared } from '../../src/graphql/operation-key.ts'
import { schema } from '../../src/schema.ts'

/** A random number generator with a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Two documents with equal answers: one can be shared, the other must be executed for each viewer. */
export type Pair = { readonly shareable: string; readonly perViewer: string; readonly variables: Record<string, unknown> }

const eventType = schema.getType('Event')
const eventTypes = isAbstractType(eventType) ? schema.getPossibleTypes(eventType) : []

/** Draws a pair of valid documents. */
export function drawPair(random: () => number): Pair {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const variables = { yes: true, no: false }
    const fragments: string[] = []
    const draw = new EventDocumentGenerator(random, fragments)
    const selections = eventTypes
      .filter(({ name }) => ['MessageSent', 'MessageEdited', 'ReactionsChanged'].includes(name) || random() < 0.6)
      .map((type) => draw.fragment(type, 3))
      .join(' ')
    const root = `${random() < 0.3 ? 'told: ' : ''}events`
    const write = (more: string) => {
      const declared = '$after: Cursor, $yes: Boolean!, $no: Boolean!'
      return `subscription S(${declared}) { ${root}(after: $after) { __typename @include(if: $yes) cursor @skip(if: $no) ${selections} ${more} } } ${fragments.join(' ')}
        query Q($yes: Boolean!, $no: Boolean!) { viewer @include(if: $yes) { id } __typename @skip(if: $no) }`
    }
    const pair = { shareable: write(''), perViewer: write(eventTypes.map(forcing).join(' ')), variables }
    if ([pair.shareable, pair.perViewer].every(isAccepted)) return pair
  }
  throw new Error('no document that was drawn is valid')
}

/** Whether a document is valid, and within the server's limits. */
function isAccepted(text: string): boolean {
  try {
    const document = parse(text, { maxTokens: documentMax.tokens })
    requireSize(document)
    return validate(schema, document).length === 0
  } catch {
    return false
  }
}

/** A selection that depends on the viewer and is never included: it makes events of this type execute for each viewer. */
function forcing(type: GraphQLObjectType): string {
  for (const field of Object.values(type.getFields())) {
    const of = getNamedType(field.type)
    if (!isObjectType(of)) continue
    const own = Object.values(of.getFields()).find((f) => !isShared(f) && isLeafType(getNamedType(f.type)) && f.args.length === 0)
    if (own) return `... on ${type.name} { never: ${field.name} @include(if: $no) { ${own.name} } }`
  }
  return ''
}

class EventDocumentGenerator {
  readonly #random: () => number
  readonly #fragments: string[]
  #count = 0

  constructor(random: () => number, fragments: string[]) {
    this.#random = random
    this.#fragments = fragments
  }

  /** A selection of a type, inline or by a named fragment. */
  fragment(type: GraphQLObjectType, depth: number): string {
    const selections = this.#selections(type, depth)
    if (this.#random() < 0.7) return `... on ${type.name} { ${selections} }`
    this.#count += 1
    this.#fragments.push(`fragment F${this.#count} on ${type.name} { ${selections} }`)
    return `...F${this.#count}`
  }

  #selections(type: GraphQLObjectType, depth: number): string {
    const drawn = Object.values(type.getFields()).flatMap((field) => {
      const of = getNamedType(field.type)
      const isLeaf = isLeafType(of)
      if (!isShared(field) || this.#random() > 0.5 || field.args.some(isRequiredArgument)) return []
      if (!isLeaf && (depth === 0 || !isObjectType(of) || of.name.endsWith('Connection'))) return []
      const below = isObjectType(of)
        ? ` { ${this.#random() < 0.2 ? this.fragment(of, depth - 1) : this.#selections(of, depth - 1)} }`
        : ''
      return [`${this.#alias()}${field.name}${this.#directive()}${below}`]
    })
    return ['__typename', ...drawn].join(' ')
  }

  #alias(): string {
    if (this.#random() > 0.1) return ''
    this.#count += 1
    return `a${this.#count}: `
  }

  #directive(): string {
    const drawn = this.#random()
    return drawn < 0.9 ? '' : drawn < 0.95 ? ' @include(if: $no)' : ' @skip(if: $no)'
  }
}
