// The root fields of an operation: they say what it does.

import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type OperationTypeNode,
  type SelectionSetNode,
} from 'graphql'

/** The type of an operation, and the names of its root fields, each as often as it is selected. */
export type RootFields = { readonly type: OperationTypeNode | null; readonly names: readonly string[] }

const known = new WeakMap<DocumentNode, Map<string | null | undefined, RootFields>>()

/** Finds the root fields of an operation in a valid document, with fragments expanded. Each operation is walked once. */
export function rootFieldsOf(document: DocumentNode, operationName: string | null | undefined): RootFields {
  const operations = known.get(document) ?? new Map<string | null | undefined, RootFields>()
  const found = operations.get(operationName)
  if (found) return found
  const operation = getOperationAST(document, operationName)
  const names = operation ? namesIn(operation.selectionSet, document) : []
  const fields = { type: operation?.operation ?? null, names }
  known.set(document, operations.set(operationName, fields))
  return fields
}

function namesIn({ selections }: SelectionSetNode, document: DocumentNode): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection.name.value]
    if (selection.kind === Kind.INLINE_FRAGMENT) return namesIn(selection.selectionSet, document)
    const fragment = document.definitions.find(
      (definition): definition is FragmentDefinitionNode =>
        definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
    )
    return fragment ? namesIn(fragment.selectionSet, document) : []
  })
}
