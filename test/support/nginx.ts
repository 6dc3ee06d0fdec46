// The shipped proxy: real nginx on deploy/nginx.conf, with other addresses.

import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd } from './node.ts'
import { until } from './until.ts'

/** Starts nginx in front of two nodes; returns the addresses of its GraphQL endpoint. It ends with the file. */
export async function openNginx(
  ...nodes: readonly [{ url: string }, { url: string }]
): Promise<{ url: string; socketUrl: string }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-nginx-'))
  const port = await findFreePort()
  const shipped = await readFile(new URL('../../deploy/nginx.conf', import.meta.url), 'utf8')
  const replacements = [
    ['listen 4000;', `listen 127.0.0.1:${port};`],
    ['pid /tmp/nginx.pid;', `pid ${directory}/nginx.pid;`],
    ...nodes.map(({ url }, i) => [`server parley-${i + 1}:4000`, `server 127.0.0.1:${new URL(url).port}`] as const),
  ] as const
  const text = replacements.reduce((config, [from, to]) => {
    if (!config.includes(from)) throw new Error(`deploy/nginx.conf has no "${from}" any more`)
    return config.replace(from, to)
  }, shipped)
  const file = path.join(directory, 'nginx.conf')
  await writeFile(file, text)
  const child = spawn('nginx', ['-c', file, '-e', 'stderr', '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += String(chunk)
  })
  child.once('error', (error) => {
    said += String(error)
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  closeAtEnd(async () => {
    child.kill('SIGTERM')
    await ended
    await rm(directory, { recursive: true, force: true })
  })
  const host = `127.0.0.1:${port}`
  await until('nginx to answer', async () => {
    if (child.exitCode !== null || /ENOENT/.test(said)) throw new Error(`nginx did not start (apt install nginx): ${said}`)
    return (await fetch(`http://${host}/health/ready`).catch(() => null))?.ok ?? false
  })
  return { url: `http://${host}/graphql`, socketUrl: `ws://${host}/graphql` }
}
