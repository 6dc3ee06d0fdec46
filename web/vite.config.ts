// Builds the web client into dist/page, which the server serves at `/`. `npx vite web` serves it for development, beside a Parley on
// port 4000.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const parley = 'http://localhost:4000'

const compressions = { '.br': promisify(brotliCompress), '.gz': promisify(gzip) }

/** Writes text files compressed, too, so that no node has to do it when it starts. */
const compressing: Plugin = {
  name: 'parley-compressing',
  async writeBundle({ dir = '' }, bundle) {
    for (const output of Object.values(bundle)) {
      if (!/\.(css|html|js|svg)$/.test(output.fileName)) continue
      const bytes = Buffer.from(output.type === 'chunk' ? output.code : output.source)
      for (const [ending, compress] of Object.entries(compressions)) {
        await writeFile(path.join(dir, output.fileName + ending), await compress(bytes))
      }
    }
  },
}

export default defineConfig({
  root: at('.'),
  plugins: [react(), compressing],
  // The library from its source. An app of another repository imports the same names from the package.
  resolve: {
    alias: [
      { find: /^parley-client\/documents$/, replacement: at('../client/src/store/documents.ts') },
      { find: /^parley-client\/e2ee$/, replacement: at('../client/src/e2ee.ts') },
      { find: /^parley-client\/react$/, replacement: at('../client/src/react.ts') },
      { find: /^parley-client$/, replacement: at('../client/src/client.ts') },
    ],
  },
  build: {
    outDir: at('../dist/page'),
    emptyOutDir: true,
    target: ['es2023', 'chrome111', 'firefox115', 'safari16.4'],
    // The policy of the page allows no inline script, and files only from `/assets`.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: at('index.html'), worker: at('worker/worker.ts') },
      // A service worker controls the pages below its own address, which must stay the same.
      output: { entryFileNames: ({ name }) => (name === 'worker' ? 'worker.js' : 'assets/[name]-[hash].js') },
    },
  },
  server: { proxy: { '/graphql': { target: parley, ws: true }, '/files': parley, '/uploads': parley } },
})
