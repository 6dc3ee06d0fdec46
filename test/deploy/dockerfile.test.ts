// The image is built from what .dockerignore lets through: everything that the Dockerfile copies, and nothing that is made.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

test('.dockerignore lets everything through that the Dockerfile copies, and nothing that git ignores below it', async () => {
  const [dockerfile, ignored, made] = [await read('Dockerfile'), await read('.dockerignore'), await read('.gitignore')]
  const lines = ignored.split('\n')
  const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(?:--\S+ )?(.+) \S+$/gm)].flatMap(([, sources = '']) =>
    sources.split(' '),
  )
  expect(copied.length).toBeGreaterThan(8)
  const missing = copied.filter((source) => !allowed.some((each) => source === each || source.startsWith(`${each}/`)))
  expect(missing).toEqual([])
  const generated = made.split('\n').filter((line) => /\/generated\/$/.test(line) && !line.startsWith('test/'))
  expect(generated.map((line) => line.slice(0, -1)).filter((line) => !lines.includes(line))).toEqual([])
})
