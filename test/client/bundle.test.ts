// The bundle of the client library: no package but graphql-ws, and nothing of an adapter that the app does not import.

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The contents of a bundle for a browser, our files and packages, and its size. */
async function bundled(contents: string) {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: `${root}/client/src`, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
    preserveSymlinks: true,
  })
  const [output] = Object.values(metafile.outputs)
  const held = Object.entries(output?.inputs ?? {}).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : []))
  const packages = held.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
  return { held, packages: [...new Set(packages)], bytes: outputFiles[0]?.contents.length ?? 0 }
}

test('the library for a browser contains graphql-ws and no other package, and is small', async () => {
  const { packages, bytes } = await bundled(`export { createParleyClient, indexedDbOutbox } from './client.ts'`)
  expect(packages).toEqual(['graphql-ws'])
  expect(bytes).toBeLessThan(48_500)
})

test('a bundle leaves out what the app does not import', async () => {
  const { held, packages } = await bundled(`export { uuidv7 } from './client.ts'`)
  expect(packages).toEqual([])
  expect(held.filter((file) => file.includes('client/src/'))).toEqual([expect.stringContaining('uuid.ts')])
})
