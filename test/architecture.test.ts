// The house: folders stand on floors, and imports go down only. docs/architecture.md draws it.

import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const src = fileURLToPath(new URL('../src', import.meta.url))

/** From the ground up. A place may import places below its own floor, and itself; places of one floor do not know each other. */
const floors: readonly (readonly string[])[] = [
  ['errors', 'viewer', 'log'],
  ['id', 'config'],
  ['tokens'],
  ['store', 'bus'],
  ['journal'],
  ['signal'],
  ['app'],
  ['graphql'],
  ['account'],
  ['contact'],
  ['conversation'],
  ['group', 'membership'],
  ['invite'],
  ['message'],
  ['pin', 'reaction', 'reading', 'typing', 'presence'],
  ['people'],
  ['search'],
  ['limits', 'gateway'],
  ['push'],
  ['sync'],
  ['schema', 'local'],
  ['server'],
  ['main', 'new-epoch', 'push-failures'],
  ['client'],
  ['page'],
]

/** Packages that only some places may use. */
const reserved: readonly (readonly [pattern: RegExp, allowed: RegExp])[] = [
  [
    /^(graphql|graphql-jit|graphql-yoga|@pothos\/.*|@envelop\/.*|dataloader)$/,
    /^(graphql\/|server\/|schema\.ts|[a-z]+\/(schema|access|mutations)\.ts)/,
  ],
  [/^graphql-ws$|^ws$/, /^server\//],
  [/^graphql-ws\/client$/, /^client\//],
  [/^(@urql\/core|wonka)$/, /^client\/urql\.ts$/],
  [/^@apollo\/client(\/.*)?$/, /^client\/apollo\.ts$/],
  [/^ioredis$|^graphql-redis-subscriptions$/, /^bus\//],
  [/^web-push$/, /^local\/secrets\.ts$|^push\/web-push\.ts$/],
  [/^graphile-worker$/, /^push\/workers\.ts$|^store\/migrate\.ts$/],
  [/^@node-rs\/argon2$/, /^account\/password\.ts$/],
  [/^jose$/, /^tokens\.ts$/],
  [/^pg$|^@prisma\/.*$/, /^(store|local)\/|^journal\/append\.ts$/],
]

const floorOf = new Map(floors.flatMap((names, floor) => names.map((name) => [name, floor] as const)))
const placeOf = (file: string) => file.split('/')[0]?.replace(/\.ts$/, '') ?? ''

async function imports(): Promise<{ file: string; target: string; isOurs: boolean }[]> {
  const files = (await readdir(src, { recursive: true })).filter((file) => file.endsWith('.ts') && !file.includes('generated'))
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(path.join(src, file), 'utf8')
      const form = /^(?:import|export)\b[^'"()=]*?\bfrom ['"]([^'"]+)['"]|^import ['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm
      const targets = [...text.matchAll(form)].map((m) => m[1] ?? m[2] ?? m[3] ?? '')
      return targets.map((target) =>
        target.startsWith('.')
          ? { file, target: path.join(path.dirname(file), target), isOurs: true }
          : { file, target, isOurs: false },
      )
    }),
  )
  return found.flat()
}

test('every place has a floor', async () => {
  const places = (await readdir(src)).map(placeOf)
  expect(places.filter((place) => !floorOf.has(place))).toEqual([])
})

test('imports go down, never up and never sideways', async () => {
  const wrong = (await imports())
    .filter(({ isOurs }) => isOurs)
    .filter(({ file, target }) => {
      const [from, to] = [placeOf(file), placeOf(target)]
      return from !== to && (floorOf.get(from) ?? -1) <= (floorOf.get(to) ?? 99)
    })
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('libraries stay in the places that are theirs', async () => {
  const wrong = (await imports())
    .filter(({ isOurs }) => !isOurs)
    .filter(({ file, target }) => reserved.some(([pattern, allowed]) => pattern.test(target) && !allowed.test(file)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the client library knows nothing of the server, of Node, or of any package but graphql-ws; its adapters know one more', async () => {
  const allowed = (file: string) => [
    'graphql-ws/client',
    ...(file === 'client/urql.ts' ? ['@urql/core', 'wonka'] : []),
    ...(file === 'client/apollo.ts' ? ['@apollo/client', '@apollo/client/utilities'] : []),
  ]
  const wrong = (await imports())
    .filter(({ file }) => placeOf(file) === 'client')
    .filter(({ file, target, isOurs }) => (isOurs ? placeOf(target) !== 'client' : !allowed(file).includes(target)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the page knows the client library and nothing of the server', async () => {
  const wrong = (await imports())
    .filter(({ file }) => placeOf(file) === 'page')
    .filter(({ target, isOurs }) => !isOurs || !['page', 'client'].includes(placeOf(target)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the environment is read in one file, and nothing ends the process from within', async () => {
  const files = (await readdir(src, { recursive: true })).filter((file) => file.endsWith('.ts') && !file.includes('generated'))
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await readFile(path.join(src, file), 'utf8') })))
  expect(texts.filter(({ text }) => /process\.env/.test(text)).map(({ file }) => file)).toEqual(['config.ts'])
  expect(texts.filter(({ text }) => /process\.exit\(/.test(text)).map(({ file }) => file)).toEqual([])
})
