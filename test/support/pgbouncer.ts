// A pooler between a node and Postgres: pgbouncer, with a database for each pool mode.

import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd } from './node.ts'
import type { SystemPostgres } from './system-postgres.ts'
import { until } from './until.ts'

/**
 * Starts a pooler in front of a database; returns its host. Its databases `transaction`, `statement`, `session` and `one`
 * (session mode with a single connection) all lead to that database.
 */
export async function openPgbouncer(server: SystemPostgres, database: string, user: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-pool-'))
  await chmod(directory, 0o755)
  const port = await findFreePort()
  const target = `host=127.0.0.1 port=${server.port} dbname=${database} user=${user}`
  const lines = [
    '[databases]',
    ...['transaction', 'statement', 'session'].map((mode) => `${mode} = ${target} pool_mode=${mode} pool_size=60`),
    `one = ${target} pool_mode=session pool_size=1`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
  ]
  const file = path.join(directory, 'pgbouncer.ini')
  await writeFile(file, `${lines.join('\n')}\n`)
  // It refuses to run as root, and drops the privileges by itself.
  const as = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  const child = spawn('pgbouncer', [...as, file], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve))
  closeAtEnd(async () => {
    child.kill('SIGKILL')
    await ended
    await rm(directory, { recursive: true, force: true })
  })
  await until('pgbouncer (apt install pgbouncer) to listen', () => isOpen(port))
  return `127.0.0.1:${port}`
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
  })
}
