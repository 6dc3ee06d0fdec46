// Builds the page of `/` into one file, dist/page/index.html, with its script and its style in it: `npm run build:page`.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const from = path.join(root, 'src/page')
const to = path.join(root, 'dist/page')

async function bundle(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(from, file)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2023', 'chrome111', 'firefox115', 'safari16.4'],
    write: false,
    logLevel: 'warning',
  })
  return outputFiles[0]?.text.trim() ?? ''
}

const [html, script, style] = await Promise.all([
  readFile(path.join(from, 'index.html'), 'utf8'),
  bundle('main.ts'),
  bundle('page.css'),
])
await mkdir(to, { recursive: true })
await writeFile(
  path.join(to, 'index.html'),
  html.replace('/*style*/', () => style).replace('/*script*/', () => script),
)
