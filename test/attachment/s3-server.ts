// A server that speaks S3, from a package, in a process of its own. It keeps objects in a directory of its own.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findFreePort } from '../../src/local/postgres.ts'
import { until } from '../support/until.ts'

export const bucket = 'parley'

/** A running server. */
export type S3Server = {
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Ends it, and keeps its objects. */
  pause(): Promise<void>
  /** Starts it again. */
  resume(): Promise<void>
  stop(): Promise<void>
}

/** Starts it with an empty bucket. */
export async function startS3(): Promise<S3Server> {
  const [directory, port] = [await mkdtemp(path.join(tmpdir(), 'parley-s3-')), await findFreePort()]
  const options = { address: '127.0.0.1', port, silent: true, directory, configureBuckets: [{ name: bucket }] }
  const program = `new (require('@20minutes/s3rver'))(${JSON.stringify(options)}).run()`
  const endpoint = `http://127.0.0.1:${port}`
  let child: ChildProcess | null = null
  const resume = async () => {
    child = spawn(process.execPath, ['--no-warnings', '--eval', program], { stdio: 'ignore' })
    await until('the S3 server to listen', () =>
      fetch(endpoint).then(
        () => true,
        () => false,
      ),
    )
  }
  const pause = async () => {
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child?.kill('SIGKILL')
    await ended
  }
  await resume()
  return {
    endpoint,
    // Those that the package accepts.
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    pause,
    resume,
    async stop() {
      await pause()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
