// The code in the README of the client library and in docs/clients.md, literally: run as an app would.

import { readFileSync } from 'node:fs'
import * as apollo from '@apollo/client'
import * as urql from '@urql/core'
import { transform } from 'esbuild'
import * as graphql from 'graphql'
import * as graphqlSse from 'graphql-sse'
import * as graphqlWs from 'graphql-ws'
import * as wonka from 'wonka'
import * as parleyApollo from '../../client/src/apollo.ts'
import * as parley from '../../client/src/client.ts'
import * as parleyTesting from '../../client/src/testing/testing.ts'
import * as parleyUrql from '../../client/src/urql.ts'

const readDocument = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const readme = readDocument('client/README.md')
/** The text of docs/clients.md. */
export const clientsPage = readDocument('docs/clients.md')
const modules: { readonly [name: string]: { readonly [name: string]: unknown } } = {
  '@apollo/client': apollo,
  '@urql/core': urql,
  graphql,
  'graphql-sse': graphqlSse,
  'graphql-ws': graphqlWs,
  wonka,
  'parley-client': parley,
  'parley-client/apollo': parleyApollo,
  'parley-client/testing': parleyTesting,
  'parley-client/urql': parleyUrql,
}

/** The code blocks of a document in one language, under a heading of any level or in all of it. */
export function blocks(language: string, heading = '', text = readme): string[] {
  const from = heading === '' ? 0 : text.search(new RegExp(`^#{2,3} ${heading}$`, 'm'))
  if (from < 0) throw new Error(`there is no heading "${heading}"`)
  const begin = heading === '' ? 0 : text.indexOf('\n', from)
  const next = heading === '' ? -1 : text.slice(begin).search(/^#{2,3} /m)
  const part = next < 0 ? text.slice(begin) : text.slice(begin, begin + next)
  const found = part.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))
  return [...found].map(([, block = '']) => block)
}

/** The operations of the README by name, each with its fragments. */
export const operations = graphql.separateOperations(graphql.parse(blocks('graphql').join('\n')))

/**
 * Runs the first code block under a heading. @param given the values that the code uses and does not define, and packages by name.
 * @returns the values that it defines, by the requested names
 */
export async function runRecipe<Made>(
  heading: string,
  given: { readonly [name: string]: unknown },
  names: string[],
  text = readme,
): Promise<Made> {
  const [block = ''] = blocks('ts', heading, text)
  const imported: Record<string, unknown> = {}
  const body = block.replace(/^import \{([^}]*)\} from '([^']*)'\n/gm, (_line, list: string, from: string) => {
    for (const name of list.split(',').map((each) => each.trim())) {
      const value = (modules[from] ?? (given[from] as (typeof modules)[string] | undefined))?.[name]
      if (value === undefined) throw new Error(`the README imports ${name} from ${from}, which has none`)
      imported[name] = value
    }
    return ''
  })
  const { code } = await transform(`${body}\nmade({ ${names.join(', ')} })`, { loader: 'ts', format: 'esm' })
  let result: Made | undefined
  const values = Object.entries(given).filter(([name]) => !name.includes('-'))
  const scope = { ...imported, ...Object.fromEntries(values), made: (value: Made) => (result = value) }
  new Function(...Object.keys(scope), code)(...Object.values(scope))
  return result as Made
}
