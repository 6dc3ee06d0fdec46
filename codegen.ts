// Typed documents for the tests' own client and for the web client, from the committed schema: `npm run generate`. An app does the
// same with its own documents; docs/clients.md shows how.

import type { CodegenConfig } from '@graphql-codegen/cli'

const types = {
  useTypeImports: true,
  enumsAsTypes: true,
  immutableTypes: true,
  strictScalars: true,
  scalars: { Base64: 'string', Cursor: 'string', DateTime: 'string', JSON: 'unknown' },
}

const config: CodegenConfig = {
  schema: 'schema.graphql',
  ignoreNoDocuments: true,
  emitLegacyCommonJSImports: false,
  generates: {
    'test/support/generated/': {
      documents: ['test/**/*.ts', '!test/support/generated/**'],
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: types,
    },
    'client/src/generated/operations.ts': {
      documents: ['client/src/store/documents.ts', 'client/src/e2ee/documents.ts'],
      plugins: ['typescript', 'typescript-operations'],
      config: { ...types, onlyOperationTypes: true, avoidOptionals: { field: true, object: true } },
    },
    // The types of the schema, for the test server of parley-client.
    'client/src/generated/schema-types.ts': {
      plugins: ['typescript'],
      config: types,
    },
    'web/src/generated/': {
      documents: ['web/src/*.ts'],
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      // The web client needs no syntax trees.
      config: { ...types, documentMode: 'string' },
    },
  },
}

export default config
