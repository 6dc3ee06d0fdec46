// The README of the client library, literally: its documents, and the code under a heading, run as an app would.

import { readFileSync } from 'node:fs'
import * as apollo from '@apollo/client'
import * as urql from '@urql/core'
import { transform } from 'esbuild'
import * as graphql from 'graphql'
import * as parleyApollo from '../../client/src/apollo.ts'
import * as parley from '../../client/src/client.ts'
import * as parleyUrql from '../../client/src/urql.ts'

const text = readFileSync(new URL('../../client/README.md', import.meta.url), 'utf8')
const modules: { readonly [name: string]: { readonly [name: string]: unknown } } = {
  '@apollo/client': apollo,
  '@urql/core': urql,
  graphql,
  'parley-client': parley,
  'parley-client/apollo': parleyApollo,
  'parley-client/urql': parleyUrql,
}

/** The code blocks of the README in one language. */
export function blocks(language: string, heading = ''): string[] {
  const part = text.slice(heading === '' ? 0 : text.indexOf(`\n## ${heading}\n`) + 1)
  const end = heading === '' ? part.length : part.indexOf('\n## ', 1)
  const found = part.slice(0, end < 0 ? part.length : end).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))
  return [...found].map(([, block = '']) => block)
}

/** The operations of the README by name, each with its fragments. */
export const operations = graphql.separateOperations(graphql.parse(blocks('graphql').join('\n')))

/**
 * Runs the first code block under a heading. @param given the values that the code uses and does not define. @returns the
 * values that it defines, by the requested names
 */
export async function runRecipe<Made>(
  heading: string,
  given: { readonly [name: string]: unknown },
  names: string[],
): Promise<Made> {
  const [block = ''] = blocks('ts', heading)
  const imported: Record<string, unknown> = {}
  const body = block.replace(/^import \{([^}]*)\} from '([^']*)'\n/gm, (_line, list: string, from: string) => {
    for (const name of list.split(',').map((each) => each.trim())) {
      const value = modules[from]?.[name]
      if (value === undefined) throw new Error(`the README imports ${name} from ${from}, which has none`)
      imported[name] = value
    }
    return ''
  })
  const { code } = await transform(`${body}\nmade({ ${names.join(', ')} })`, { loader: 'ts', format: 'esm' })
  let result: Made | undefined
  const scope = { ...imported, ...given, made: (value: Made) => (result = value) }
  new Function(...Object.keys(scope), code)(...Object.values(scope))
  return result as Made
}
