// Errors about values in a document or in its variables. They are BAD_INPUT, and name the argument; all other errors about a
// document are OPERATION_REFUSED. graphql-js distinguishes them only by where it finds them.

import {
  type ASTVisitor,
  coerceInputValue,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  isInputType,
  isNonNullType,
  typeFromAST,
  type ValidationContext,
  ValuesOfCorrectTypeRule,
  type VariableDefinitionNode,
} from 'graphql'
import { ParleyError } from '../errors.ts'

/** How many errors to report of an operation's variables. */
const faultsMax = 10

type Inputs = Readonly<Record<string, unknown>>
/** The coerced values of variables, or the errors about them. */
export type Coercion = { readonly coerced: Inputs } | { readonly errors: readonly GraphQLError[] }

/** The error inside GraphQL's wrappers. */
export function originOf(error: unknown): unknown {
  let origin = error
  while (origin instanceof GraphQLError && origin.originalError) origin = origin.originalError
  return origin
}

/** An error about a value, with the code and the argument for the client. A bug in a scalar stays as it is. */
export function valueFault(error: GraphQLError, argument?: string): GraphQLError {
  const origin = originOf(error)
  const details = argument === undefined ? {} : { argument }
  if (origin instanceof ParleyError) {
    return origin.argument === undefined ? wrap(error, new ParleyError(origin.code, origin.message, details)) : error
  }
  return origin instanceof GraphQLError ? wrap(error, new ParleyError('BAD_INPUT', error.message, details)) : error
}

const wrap = (error: GraphQLError, originalError: ParleyError) =>
  new GraphQLError(error.message, { nodes: error.nodes ?? null, originalError })

/** The rule of graphql-js about literals, whose errors are about values. */
export function valuesOfCorrectType(context: ValidationContext): ASTVisitor {
  const reporting = Object.create(context) as ValidationContext
  reporting.reportError = (error) => context.reportError(valueFault(error))
  return ValuesOfCorrectTypeRule(reporting)
}

/** Coerces the variables of an operation. */
export function readVariables(schema: GraphQLSchema, definitions: readonly VariableDefinitionNode[], inputs: Inputs): Coercion {
  const values = getVariableValues(schema, definitions, inputs, { maxErrors: faultsMax })
  if (!values.errors) return { coerced: values.coerced }
  const names = argumentsAtFault(schema, definitions, inputs)
  return { errors: values.errors.map((error, i) => valueFault(error, names[i])) }
}

/** The paths of the invalid values, such as `input.until` and `ids.3`, in the order in which graphql-js finds them. */
function argumentsAtFault(schema: GraphQLSchema, definitions: readonly VariableDefinitionNode[], inputs: Inputs): string[] {
  return definitions.flatMap((definition): string[] => {
    const name = definition.variable.name.value
    const type = typeFromAST(schema, definition.type)
    if (!isInputType(type)) return [name]
    const isGiven = Object.hasOwn(inputs, name)
    if (!isGiven && definition.defaultValue) return []
    const isAbsent = !isGiven || inputs[name] === null
    if (isAbsent) return isNonNullType(type) ? [name] : []
    const paths: string[] = []
    coerceInputValue(inputs[name], type, (path) => paths.push([name, ...path].join('.')))
    return paths
  })
}
