// Draws operations over the whole schema, for tests that compare or attack.

import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql'
import { schema } from '../../src/schema.ts'

/** Fields whose values change between requests. */
const restless = new Set(['gateway', 'lastUsedAt', 'lastActiveAt', 'presence', 'state', 'lapsesAt'])

/** Draws operations over the whole schema: literals and variables, aliases, fragments, directives. */
export class OperationGenerator {
  readonly variables: Record<string, unknown> = {}
  readonly #random: () => number
  readonly #ids: readonly string[]
  readonly #isPlain: boolean
  readonly #declared: string[] = []
  readonly #fragments: string[] = []
  #count = 0

  /**
   * @param ids values for arguments of the type ID
   * @param isPlain without directives, which prevent compiling
   */
  constructor(random: () => number, ids: readonly string[], isPlain: boolean) {
    this.#random = random
    this.#ids = ids
    this.#isPlain = isPlain
  }

  #next(): number {
    this.#count += 1
    return this.#count
  }

  query(): string {
    const type = schema.getQueryType()
    const fields = Object.values(type?.getFields() ?? {}).filter(({ name }) => !restless.has(name))
    const selected = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () => {
      const field = fields[Math.floor(this.#random() * fields.length)]
      return field ? this.#field(field, 4, `r${this.#next()}: `) : ''
    })
    if (this.#isPlain) {
      const declared = this.#declared.length > 0 ? `(${this.#declared.join(', ')})` : ''
      return `query Drawn${declared} { __typename ${selected.join(' ')} ...Last } fragment Last on Query { __typename viewer { id } } ${this.#fragments.join(' ')}`
    }
    const [sure, never] = ['$yes: Boolean = true', '$no: Boolean!']
    this.variables.no = false
    const operation = `query Drawn(${[sure, never, ...this.#declared].join(', ')}) { __typename ${selected.join(' ')} ...Last @include(if: $yes) ...Last @skip(if: $no) }`
    return `${operation} fragment Last on Query { __typename viewer { id } } ${this.#fragments.join(' ')}`
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number, alias: string): string {
    const type = getNamedType(field.type)
    const below = isLeafType(type) ? '' : ` { __typename ${this.#below(type.name, depth - 1)} }`
    const drawn = this.#random()
    const directive = this.#isPlain || drawn < 0.9 ? '' : drawn < 0.95 ? ' @skip(if: $yes)' : ' @include(if: $no)'
    return `${alias}${field.name}${this.#arguments(field.args)}${directive}${below}`
  }

  #below(typeName: string, depth: number): string {
    const type = schema.getType(typeName)
    if (isAbstractType(type)) {
      return schema
        .getPossibleTypes(type)
        .filter(() => this.#random() < 0.5)
        .map(({ name }) => `... on ${name} { ${this.#below(name, depth)} }`)
        .join(' ')
    }
    if (!isObjectType(type)) return ''
    const drawn = Object.values(type.getFields())
      .filter(({ name, type: of }) => !restless.has(name) && this.#random() < 0.5 && (depth > 0 || isLeafType(getNamedType(of))))
      .map((field) => this.#field(field, depth, this.#random() < 0.1 ? `a${this.#next()}: ` : ''))
      .join(' ')
    if (this.#random() > 0.2 || drawn === '') return drawn
    const name = `F${this.#next()}`
    this.#fragments.push(`fragment ${name} on ${typeName} { ${drawn} }`)
    return `...${name}`
  }

  #arguments(args: readonly GraphQLArgument[]): string {
    const given = args.filter((arg) => isRequiredArgument(arg) || (/^(first|last)$/.test(arg.name) && this.#random() < 0.3))
    const both = given.length > 1 && given.every(({ name }) => /^(first|last)$/.test(name)) ? given.slice(0, 1) : given
    const texts = both.map((arg) => {
      const value = this.#value(arg)
      if (this.#random() < 0.5) return `${arg.name}: ${isEnumType(getNamedType(arg.type)) ? value : JSON.stringify(value)}`
      const name = `v${this.#next()}`
      this.#declared.push(`$${name}: ${String(arg.type)}`)
      this.variables[name] = value
      return `${arg.name}: $${name}`
    })
    return texts.length > 0 ? `(${texts.join(', ')})` : ''
  }

  #value({ name, type }: GraphQLArgument | GraphQLInputField): unknown {
    const of = getNamedType(type)
    if (isListType(getNullableType(type))) return [this.#pick(this.#ids), this.#pick(this.#ids)]
    if (isEnumType(of)) return this.#pick(of.getValues())?.name
    if (of.name === 'ID') return this.#pick(this.#ids)
    if (of.name === 'Int') return this.#pick([1, 2, 5, 5, 5, 1_000])
    if (of.name === 'Boolean') return this.#random() < 0.5
    return name === 'username' ? this.#pick(['alice', 'bob', 'nobody']) : this.#pick(['one', 'alice', ''])
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#random() * from.length)]
  }

  /** A mutation with one of these root fields; its input is drawn from its type. */
  mutation(names: readonly string[]): string {
    const field = schema.getMutationType()?.getFields()[this.#pick(names) ?? '']
    const [input] = field?.args ?? []
    if (!field) throw new Error('there is no such mutation')
    const below = this.#below(getNamedType(field.type).name, 3)
    if (!input) return `mutation Drawn { ${field.name} { __typename ${below} } }`
    this.variables.input = this.#input(getNamedType(input.type))
    const declared = [`$input: ${input.type}`, '$yes: Boolean = true', '$no: Boolean = false', ...this.#declared].join(', ')
    return `mutation Drawn(${declared}) { ${field.name}(input: $input) { __typename ${below} } shown: __typename @include(if: $yes) left: __typename @include(if: $no) } ${this.#fragments.join(' ')}`
  }

  #input(type: GraphQLNamedType): Record<string, unknown> {
    if (!isInputObjectType(type)) return {}
    const fields = Object.values(type.getFields()).filter((one) => isRequiredInputField(one) || this.#random() < 0.3)
    return Object.fromEntries(
      fields.map((one) => {
        const of = getNamedType(one.type)
        if (isInputObjectType(of)) return [one.name, [this.#input(of)]]
        if (/^clientMessageId$/.test(one.name)) return [one.name, crypto.randomUUID()]
        return [one.name, this.#value(one)]
      }),
    )
  }
}
