// `npm run screenshots`: makes the pictures of the web client in docs/images, light and dark, wide and narrow. It starts a Parley of its own
// on a temporary directory, with people who talk about a market, and needs Chromium. Build first: `npm run build`.

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { findFreePort } from '../src/local/postgres.ts'
import { keepLogin } from './keep-login.ts'
import { avatars, lines, photo, reactions } from './screenshot-people.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const images = path.join(root, 'docs/images')
const wide = { width: 1180, height: 760 }
const narrow = { width: 390, height: 780 }
const quality = 82

const directory = await mkdtemp(path.join(os.tmpdir(), 'parley-screenshots-'))
const port = await findFreePort()
const environment = {
  // biome-ignore lint/style/noProcessEnv: the server finds its programs by the path
  PATH: process.env.PATH ?? '',
  PORT: String(port),
  PARLEY_DATA_DIR: path.join(directory, 'data'),
  PARLEY_PUBLIC_URL: `ws://localhost:${port}/graphql`,
  PARLEY_RATE_MUTATIONS: '1000/1000',
  PARLEY_RATE_SENDS: '1000/1000',
}
const home = `http://localhost:${port}/`

/** Runs a program of Parley to its end. @returns its output */
function run(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, 'dist/commands/parley.js'), ...args], { env: environment })
    let [out, complaint] = ['', '']
    child.stdout.on('data', (chunk) => {
      out += String(chunk)
    })
    child.stderr.on('data', (chunk) => {
      complaint += String(chunk)
    })
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(out.trim()) : reject(new Error(complaint))))
  })
}

/** Starts the server. @returns how to stop it */
function start(): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, 'dist/main.js')], { env: environment })
    const ended = new Promise<void>((done) => child.once('close', () => done()))
    child.once('close', () => reject(new Error('The server has ended. Is everything built?')))
    child.stdout.on('data', (chunk) => {
      if (String(chunk).includes('Parley is ready'))
        resolve(async () => {
          child.kill('SIGTERM')
          await ended
        })
    })
  })
}

type Key = { readonly token: string }
type Uploaded = {
  readonly createUpload: {
    readonly attachment: { readonly id: string }
    readonly upload: { readonly url: string; readonly headers: Readonly<Record<string, string>> }
  }
}

/** Runs an operation, on behalf of a user if one is given. */
async function ask<Data>({ token }: Key, actAs: string | null, query: string, variables: object): Promise<Data> {
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${token}`,
    ...(actAs && { 'parley-act-as': actAs }),
  }
  const response = await fetch(`${home}graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
  const { data, errors } = (await response.json()) as { data: Data; errors?: readonly { message: string }[] }
  if (errors) throw new Error(errors[0]?.message)
  return data
}

async function upload(
  key: Key,
  actAs: string,
  picture: Buffer,
  purpose: 'AVATAR' | 'MESSAGE',
  fileName: string,
): Promise<string> {
  const input = { fileName, contentType: 'image/jpeg', byteSize: picture.length, purpose }
  const query =
    'mutation ($input: CreateUploadInput!) { createUpload(input: $input) { attachment { id } upload { url headers } } }'
  const { createUpload } = await ask<Uploaded>(key, actAs, query, { input })
  const { url, headers } = createUpload.upload
  await fetch(new URL(url, home), { method: 'PUT', headers, body: new Uint8Array(picture) })
  return createUpload.attachment.id
}

const jpeg = (svg: string) => sharp(Buffer.from(svg)).jpeg({ quality: 88 }).toBuffer()

/** Brings the people and what they wrote; then what an import does not bring: pictures, reactions, and what is new. */
async function talk(key: Key): Promise<void> {
  const [file, keyFile] = [path.join(directory, 'lines'), path.join(directory, 'key')]
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
  await writeFile(keyFile, key.token)
  await run('import', file, '--key-file', keyFile, '--url', `${home}graphql`)
  for (const [user, svg] of Object.entries(avatars)) {
    const avatarId = await upload(key, user, await jpeg(svg), 'AVATAR', 'face.jpg')
    const query = 'mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { __typename } }'
    await ask(key, user, query, { input: { avatarId } })
  }
  const query = '{ conversations(first: 20) { nodes { id title messages(last: 50) { nodes { id text } } } } }'
  type Found = { id: string; title: string | null; messages: { nodes: { id: string; text: string }[] } }
  const { conversations } = await ask<{ conversations: { nodes: Found[] } }>(key, 'mina', query, {})
  const market = conversations.nodes.find(({ title }) => title === 'Harbour market')
  if (!market) throw new Error('The conversation is missing.')
  for (const [user, text, emoji] of reactions) {
    const messageId = market.messages.nodes.find((each) => each.text.startsWith(text))?.id
    const input = { messageId, emoji }
    await ask(key, user, 'mutation ($input: AddReactionInput!) { addReaction(input: $input) { __typename } }', { input })
  }
  const send = (user: string, conversationId: string, text: string, attachmentIds: readonly string[] = []) =>
    ask(key, user, 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }', {
      input: { conversationId, text, attachmentIds, clientMessageId: crypto.randomUUID() },
    })
  const picture = await upload(key, 'joao', await jpeg(photo), 'MESSAGE', 'harbour.jpg')
  await send('joao', market.id, 'This is what it looks like from the new spot.', [picture])
  await send('aisha', market.id, 'Beautiful! I take the corner by the lamp.')
  const walk = conversations.nodes.find(({ title }) => title === '주말 산책')
  if (walk) await send('haneul', walk.id, '토요일 아침 7시에 만나요!')
}

/** Opens the web client as one of the people, with a session as the backend of a product opens it. */
async function openPage(browser: Browser, key: Key, scheme: 'light' | 'dark', viewport: typeof wide): Promise<Page> {
  const { viewer } = await ask<{ viewer: { id: string } }>(key, 'mina', '{ viewer { id } }', {})
  const issue = 'mutation ($input: IssueSessionInput!) { issueSession(input: $input) { accessToken refreshToken expiresAt } }'
  const { issueSession } = await ask<{ issueSession: object }>(key, null, issue, {
    input: { userId: viewer.id, deviceName: 'Web' },
  })
  const context = await browser.newContext({ viewport, colorScheme: scheme, deviceScaleFactor: 2, locale: 'en-GB' })
  const page = await context.newPage()
  await page.goto(home)
  await page.evaluate(keepLogin, { userId: viewer.id, credentials: issueSession })
  await page.reload()
  await page.locator('[data-status=LIVE]').waitFor()
  return page
}

/** Takes a picture once everything in it has loaded. */
async function shoot(page: Page, name: string): Promise<void> {
  await page.waitForFunction(() => [...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth > 0))
  const png = await page.screenshot({ animations: 'disabled', caret: 'hide' })
  await writeFile(path.join(images, `${name}.webp`), await sharp(png).webp({ quality }).toBuffer())
}

async function shootAll(browser: Browser, key: Key): Promise<void> {
  const market = (page: Page) => page.locator('.row', { hasText: 'Harbour market' })
  for (const scheme of ['light', 'dark'] as const) {
    const page = await openPage(browser, key, scheme, narrow)
    await market(page).waitFor()
    await shoot(page, `list-narrow-${scheme}`)
    await page.setViewportSize(wide)
    await market(page).click()
    await page.getByText('I take the corner').last().waitFor()
    await shoot(page, `conversation-wide-${scheme}`)
    await page.setViewportSize(narrow)
    await page.getByText('I take the corner').last().scrollIntoViewIfNeeded()
    await shoot(page, `conversation-narrow-${scheme}`)
    await page.context().close()
  }
}

await mkdir(images, { recursive: true })
// Commands use the database of the data directory themselves: not while a server does. The first start makes it.
await (await start())()
const key: Key = { token: await run('server-keys', 'create', 'screenshots', '--scopes', 'users,import,act') }
const stop = await start()
try {
  await talk(key)
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
  await shootAll(browser, key).finally(() => browser.close())
} finally {
  await stop()
  await rm(directory, { recursive: true, force: true })
}
