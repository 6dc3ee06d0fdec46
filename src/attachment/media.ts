// The media process as the node sees it: started when there is work, ended when there was none for a while, killed when a file takes
// too long.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pLimit from 'p-limit'
import type { Log } from '../log/log.ts'
import { JobInterrupted } from '../store/workers.ts'
import { type MediaAnswer, type MediaRequest, mediaAnswerForm } from './media-work.ts'

/** How long one file may take. */
const workMs = 60_000
/** How long the process waits for more work. */
const idleMs = 30_000
/** How long a killed process may take to be gone: longer only if the machine's disk hangs. */
const endMs = 10_000
const heapMb = 256

/** The process died, or was killed because it took too long: the file may be at fault, or the machine. */
export class MediaFailure extends Error {
  override readonly name = 'MediaFailure'
}

/** The media process of a node. */
export class Media {
  readonly #log: Log
  readonly #turn = pLimit(1)
  readonly #closing = new AbortController()
  #child: ChildProcess | null = null
  #idle: NodeJS.Timeout | undefined

  constructor(log: Log) {
    this.#log = log
  }

  /** Does the work for one file, after that for earlier ones. @throws MediaFailure */
  run(request: MediaRequest): Promise<MediaAnswer> {
    return this.#turn(() => this.#run(request))
  }

  /** Kills the process. Work under way fails; its job is repeated elsewhere. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#idle)
    if (this.#child) await end(this.#child)
  }

  async #run(request: MediaRequest): Promise<MediaAnswer> {
    if (this.#closing.signal.aborted) throw new JobInterrupted('the node is closing')
    clearTimeout(this.#idle)
    this.#child ??= this.#start()
    const child = this.#child
    try {
      const answer = await this.#ask(child, request)
      this.#idle = setTimeout(() => {
        this.#child = null
        child.disconnect()
      }, idleMs)
      this.#idle.unref()
      return answer
    } catch (error) {
      // The next file gets a new process: it must not pay for this one.
      this.#child = null
      await end(child)
      throw error
    }
  }

  #ask(child: ChildProcess, request: MediaRequest): Promise<MediaAnswer> {
    return new Promise((resolve, reject) => {
      const fail = (why: string, cause?: unknown) => {
        stop()
        const isClosing = this.#closing.signal.aborted
        reject(isClosing ? new JobInterrupted('the node is closing') : new MediaFailure(why, { cause }))
      }
      const answered = (answer: unknown) => {
        stop()
        resolve(mediaAnswerForm.parse(answer))
      }
      const exited = (code: number | null, signal: string | null) => fail(`the media process ended: ${signal ?? code}`)
      const broken = (error: Error) => fail('the media process could not be started', error)
      const limit = setTimeout(() => fail(`a file took longer than ${workMs} ms`), workMs)
      const stop = () => {
        clearTimeout(limit)
        child.off('message', answered).off('exit', exited).off('error', broken)
      }
      child.once('message', answered).once('exit', exited).once('error', broken)
      child.send(request, (error) => {
        if (error) fail('the media process takes no work', error)
      })
    })
  }

  #start(): ChildProcess {
    const isSource = import.meta.url.endsWith('.ts')
    const file = fileURLToPath(new URL(`./media-process.${isSource ? 'ts' : 'js'}`, import.meta.url))
    const child = fork(file, {
      execArgv: [...(isSource ? ['--import', 'tsx'] : []), `--max-old-space-size=${heapMb}`],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    child.on('error', (error) => this.#log.error({ err: error }, 'the media process failed'))
    child.once('exit', (code, signal) => {
      if (this.#child === child) this.#child = null
      if (code !== 0 && !this.#closing.signal.aborted) this.#log.warn({ code, signal }, 'the media process died')
    })
    return child
  }
}

/** Kills a media process, and waits until it has ended. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(endMs) })
  child.kill('SIGKILL')
  await ended
}
