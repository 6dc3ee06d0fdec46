// The documents: every link in them leads to a file, and to a heading of it.

import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The files and folders of the repository, but for what is installed or built. */
async function files(): Promise<string[]> {
  const tops = (await readdir(root, { withFileTypes: true })).filter(({ name }) => !/^(node_modules|dist|\.git)$/.test(name))
  const inside = tops
    .filter((top) => top.isDirectory())
    .map(async ({ name }) => (await readdir(path.join(root, name), { recursive: true })).map((file) => path.join(name, file)))
  return [...tops.map(({ name }) => name), ...(await Promise.all(inside)).flat()].filter((file) => !file.includes('node_modules'))
}

/** A document without its blocks of code, which may have anything that looks like a link or a heading. */
async function readDocument(file: string): Promise<string | null> {
  const text = await readFile(path.join(root, file), 'utf8').catch(() => null)
  return text?.replaceAll(/^```.*?^```/gms, '') ?? null
}

/** The anchors that a reader of the repository gets for the headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) =>
    heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'),
  )
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

test('every link in a document leads to a file and to one of its headings', async () => {
  const entries = await files()
  const documents = entries.filter((file) => file.endsWith('.md'))
  const broken: string[] = []
  for (const file of documents) {
    const text = (await readDocument(file)) ?? ''
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [to = '', anchor] = link.split('#')
      const target = to === '' ? file : path.join(path.dirname(file), to)
      const exists = entries.includes(target.replace(/\/$/, ''))
      const leads = anchor === undefined || !target.endsWith('.md') || anchorsOf((await readDocument(target)) ?? '').has(anchor)
      if (!exists || !leads) broken.push(`${file}: ${link}`)
    }
  }
  expect(documents.length).toBeGreaterThan(30)
  expect(broken).toEqual([])
})
