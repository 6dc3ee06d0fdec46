// Serves the page at `/`: one file with everything in it, read once. Its policy allows only its own script and style, no other
// sources, and no framing.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../log/log.ts'

/** The output of `npm run build:page`; the URL is the same from src/ and from dist/. */
const file = new URL('../../dist/page/index.html', import.meta.url)

/** Answers a request for the page. @returns false for any other request */
export type AnswerPage = (request: IncomingMessage, response: ServerResponse) => boolean

/** Reads the page. If it has not been built, its requests get a 404, and the log says why. */
export async function openPage(log: Log): Promise<AnswerPage> {
  const html = await readFile(file, 'utf8').catch(() => null)
  if (html === null) log.warn('there is no page at /: npm run build:page makes it')
  const headers = html === null ? { 'content-type': 'text/plain' } : headersOf(html)
  const body = html ?? 'The page has not been built.\n'
  return (request, response) => {
    if (request.url?.split('?')[0] !== '/' || (request.method !== 'GET' && request.method !== 'HEAD')) return false
    const isKnown = html !== null && request.headers['if-none-match']?.includes(tagOf(html))
    response.writeHead(html === null ? 404 : isKnown ? 304 : 200, headers)
    response.end(isKnown || request.method === 'HEAD' ? undefined : body)
    return true
  }
}

function headersOf(html: string): Record<string, string> {
  const only = (tag: string) => {
    const text = new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`).exec(html)?.[1] ?? ''
    return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  }
  const policy = [
    `default-src 'none'`,
    `script-src ${only('script')}`,
    `style-src ${only('style')}`,
    `img-src data:`,
    // To other nodes, at the URLs that the gateway names.
    `connect-src 'self' http: https: ws: wss:`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ]
  return {
    'content-type': 'text/html; charset=utf-8',
    // Browsers check for a new page each time, because the page must match the server.
    'cache-control': 'no-cache',
    etag: tagOf(html),
    'content-security-policy': policy.join('; '),
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  }
}

const tagOf = (html: string) => `"${createHash('sha256').update(html).digest('base64url')}"`
