// Serves the web client: its page at `/`, its service worker, and the files of `/assets`, all read once. Its policy
// allows scripts and styles of this server only, pictures, sounds and videos from anywhere (files may be in a bucket), and no framing.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from '../log/log.ts'

/** The output of `npm run build:page`; the URL is the same from src/ and from dist/. */
const directory = fileURLToPath(new URL('../../dist/page', import.meta.url))

/** Answers a request for the page or one of its files. @returns false for any other request */
export type AnswerPage = (request: IncomingMessage, response: ServerResponse) => boolean

type Encoding = 'br' | 'gzip' | 'identity'
type PageFile = {
  readonly headers: Readonly<Record<string, string>>
  readonly etag: string
  readonly bodies: ReadonlyMap<Encoding, Buffer>
}

const contentTypes: { readonly [extension: string]: string } = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}
const policy = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `img-src 'self' data: blob: https: http:`,
  `media-src 'self' blob: https: http:`,
  `worker-src 'self'`,
  // To other nodes, at the URLs that the gateway names.
  `connect-src 'self' http: https: ws: wss:`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ')
/** The encodings, and how the names of the files end that `npm run build:page` has compressed. */
const endings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

/** Reads the page. If it has not been built, its requests get a 404, and the log says why. */
export async function openPage(log: Log): Promise<AnswerPage> {
  const pages = await readPages()
  if (!pages.has('/')) log.warn('there is no page at /: npm run build:page makes it')
  return (request, response) => {
    const at = request.url?.split('?')[0] ?? ''
    if ((at !== '/' && !pages.has(at)) || (request.method !== 'GET' && request.method !== 'HEAD')) return false
    const page = pages.get(at)
    if (page) answer(page, request, response)
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('The page has not been built.\n')
    return true
  }
}

function answer({ headers, etag, bodies }: PageFile, request: IncomingMessage, response: ServerResponse): void {
  const accepted = String(request.headers['accept-encoding'] ?? '')
  const encoding = (['br', 'gzip'] as const).find((each) => bodies.has(each) && accepts(accepted, each)) ?? 'identity'
  const body = bodies.get(encoding)
  const isKnown = request.headers['if-none-match']?.includes(etag)
  const size = isKnown ? {} : { 'content-length': String(body?.length ?? 0) }
  const coding = encoding === 'identity' || isKnown ? {} : { 'content-encoding': encoding }
  response.writeHead(isKnown ? 304 : 200, { ...headers, ...size, ...coding })
  response.end(isKnown || request.method === 'HEAD' ? undefined : body)
}

/** Whether an `Accept-Encoding` names an encoding, and does not refuse it. */
const accepts = (accepted: string, encoding: string) =>
  accepted.split(',').some((each) => {
    const [name, quality = ''] = each.split(';').map((part) => part.trim())
    return name === encoding && !/^q=0(\.0*)?$/.test(quality)
  })

/** The files that were built, by the path of their URL. */
async function readPages(): Promise<ReadonlyMap<string, PageFile>> {
  const assets = await readdir(path.join(directory, 'assets')).catch(() => [])
  const names = assets.filter((name) => !endings.some(([, ending]) => name.endsWith(ending)))
  const files = ['index.html', 'worker.js', ...names.map((name) => `assets/${name}`)]
  const pages = await Promise.all(
    files.map(async (file) => {
      const bytes = await readBuilt(file)
      return bytes && ([file === 'index.html' ? '/' : `/${file}`, await pageOf(file, bytes)] as const)
    }),
  )
  return new Map(pages.filter((page) => page !== null))
}

const readBuilt = (file: string) => readFile(path.join(directory, file)).catch(() => null)

async function pageOf(file: string, bytes: Buffer): Promise<PageFile> {
  const isHtml = file === 'index.html'
  const etag = createHash('sha256').update(bytes).digest('base64url')
  const headers = {
    'content-type': contentTypes[path.extname(file)] ?? 'application/octet-stream',
    // Browsers check for a new page and worker each time, because they must match the server. Other names have their hash.
    'cache-control': isHtml || file === 'worker.js' ? 'no-cache' : 'public, max-age=31536000, immutable',
    // Weak: it names the content, whatever the encoding.
    etag: `W/"${etag}"`,
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
    ...(isHtml ? { 'content-security-policy': policy, 'referrer-policy': 'no-referrer' } : {}),
  }
  const bodies = new Map<Encoding, Buffer>([['identity', bytes]])
  for (const [encoding, ending] of endings) {
    const body = await readBuilt(file + ending)
    if (body) bodies.set(encoding, body)
  }
  return { headers, etag, bodies }
}
