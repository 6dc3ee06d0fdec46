// The client library as a package: packed, installed into a fresh React app beside graphql-ws alone, checked under both kinds of module
// resolution, built, and used by two people in a real browser.

import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright-core'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { password, signUpAll } from '../support/device.ts'
import { closeAtEnd, openNode } from '../support/node.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const npm = (cwd: string, ...words: string[]) => run('npm', words, { cwd, maxBuffer: 10_000_000 })
let app: string
let files: readonly string[]
let size: number

beforeAll(async () => {
  const place = await mkdtemp(path.join(tmpdir(), 'parley-package-'))
  await npm(root, 'run', 'build:client', '--silent')
  const { stdout } = await npm(path.join(root, 'client'), 'pack', '--json', '--ignore-scripts', '--pack-destination', place)
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[]; size: number }]
  files = packed.files.map((file) => file.path)
  size = packed.size
  app = path.join(place, 'app')
  await cp(path.join(root, 'examples/react'), app, { recursive: true })
  const about = JSON.parse(await readFile(path.join(app, 'package.json'), 'utf8'))
  about.dependencies['parley-client'] = `file:../${packed.filename}`
  await writeFile(path.join(app, 'package.json'), JSON.stringify(about))
  await npm(app, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts')
}, 240_000)

test('the package has what an app needs, and nothing else', () => {
  const others = files.filter((file) => !/^dist\/[\w/-]+\.(js|js\.map|d\.ts)$/.test(file))
  expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json'])
  // Half of it is the server for tests and encryption, which most apps do not carry.
  expect(size).toBeLessThan(575_000)
})

test('it brings no package but graphql-ws', async () => {
  const about = JSON.parse(await readFile(path.join(app, 'node_modules/parley-client/package.json'), 'utf8'))
  expect(Object.keys(about.dependencies)).toEqual(['graphql-ws'])
  const packages = await readdir(path.join(app, 'node_modules'))
  for (const name of ['@apollo', '@urql', 'wonka', '@prisma', 'graphql-yoga']) expect(packages).not.toContain(name)
})

test.each([
  ['bundler', 'ESNext'],
  ['nodenext', 'NodeNext'],
])('its types resolve under %s', async (moduleResolution, module) => {
  const config = path.join(app, `tsconfig.${moduleResolution}.json`)
  const files = [`src/${moduleResolution}.mts`]
  const compilerOptions = { moduleResolution, module, skipLibCheck: false, types: [], allowImportingTsExtensions: true }
  await writeFile(config, JSON.stringify({ extends: './tsconfig.json', compilerOptions, include: [], files }))
  await writeFile(
    path.join(app, files[0] ?? ''),
    `import { createParleyClient, type ParleyClient } from 'parley-client'
import { Overview } from 'parley-client/documents'
import { openStore, useMessages } from 'parley-client/react'
import { createTestServer, type TestServer, worstNetwork } from 'parley-client/testing'
const server: TestServer = createTestServer({ seed: { users: ['alice'] }, network: worstNetwork })
const client: ParleyClient = createParleyClient({ url: 'http://localhost' })
const { viewer } = await client.request(Overview, { first: 1 })
const name: string = viewer.displayName
// @ts-expect-error: there is no such field
viewer.nothing
void [name, (await openStore(client)).list, useMessages, server.as('alice').userId]
`,
  )
  await run('npx', ['tsc', '-p', config], { cwd: app }).catch((error: { stdout: string }) => {
    throw new Error(error.stdout)
  })
})

test('its test server runs without a bundler', async () => {
  const script = `import { createParleyClient } from 'parley-client'
import { createTestServer } from 'parley-client/testing'
const { url, fetch, webSocketImpl, credentials, close } = createTestServer({ seed: { users: ['alice'] } })
const client = createParleyClient({ url, fetch, webSocketImpl, session: credentials('alice') })
console.log((await client.request('{ viewer { username } }', {})).viewer.username)
await client.close()
close()
`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: app })
  expect(stdout.trim()).toBe('alice')
})

/** Serves the built app at an origin of its own. */
async function serve(directory: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const file = path.join(directory, new URL(request.url ?? '/', 'http://app').pathname)
    const found = (await stat(file).catch(() => null))?.isFile() ? file : path.join(directory, 'index.html')
    response.setHeader('content-type', found.endsWith('.js') ? 'text/javascript' : 'text/html')
    response.end(await readFile(found))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => void server.close())
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

async function logIn(browser: Browser, origin: string, username: string): Promise<Page> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  await page.goto(origin)
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
  return page
}

test('two people chat in the app, and one of them offline', async () => {
  const directory = path.join(app, 'dist')
  const origin = await serve(directory)
  const node = await openNode({ PARLEY_ALLOWED_ORIGINS: origin })
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('not signed up')
  await alice.group('Lunch', bob)
  await run('npx', ['tsc'], { cwd: app })
  await run('npx', ['vite', 'build', '--logLevel', 'error'], { cwd: app, env: { ...env, VITE_PARLEY_URL: node.url } })

  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  })
  closeAtEnd(() => browser.close())
  const [one, two] = [await logIn(browser, origin, 'alice'), await logIn(browser, origin, 'bob')]
  const say = async (page: Page, text: string) => {
    await page.getByLabel('Message').fill(text)
    await page.getByRole('button', { name: 'Send', exact: true }).click()
  }
  await one.getByRole('button', { name: /Lunch/ }).click()
  await say(one, 'Pizza?')
  await two.getByRole('heading', { name: 'Chats (1)' }).waitFor()
  await two.getByRole('button', { name: /Lunch.*Pizza\?/ }).click()
  await two.getByRole('heading', { name: 'Chats', exact: true }).waitFor()
  await two.getByLabel('Message').pressSequentially('So')
  await one.getByText('Bob is typing').waitFor()
  await two.context().setOffline(true)
  await say(two, 'Sushi!')
  await two.getByText('sending').waitFor()
  await say(one, 'Or soup?')
  await two.context().setOffline(false)
  for (const page of [one, two]) {
    await page.getByRole('listitem').nth(2).waitFor({ timeout: 60_000 })
    const texts = await page.getByRole('listitem').allTextContents()
    expect(texts).toHaveLength(3)
    expect(texts.toSorted()).toEqual(['Alice Or soup?', 'Alice Pizza?', 'Bob Sushi!'])
  }
  expect(await one.getByRole('listitem').allTextContents()).toEqual(await two.getByRole('listitem').allTextContents())
})
