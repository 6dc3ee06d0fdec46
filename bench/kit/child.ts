// Processes of the bench: each server and each load has its own, so that its cost can be measured. A child answers over its IPC
// channel, and is ended by its pid.

import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { buildDirectory } from './build.ts'
import type { Answer, Api, Basics, Cpu, Memory, Question } from './parent.ts'

/** A running process. */
export type Child<A> = {
  readonly pid: number
  /** Calls it by a name; fails with its error, or when it ends. */
  call<K extends keyof (A & Basics)>(name: K, ...args: Parameters<Method<A & Basics, K>>): Promise<Result<A & Basics, K>>
  stop(): Promise<void>
}

/** A server whose cost can be measured, whatever else it can. */
export type Measurable = { call(name: 'cpu'): Promise<Cpu>; call(name: 'memory'): Promise<Memory> }

type Method<A, K extends keyof A> = A[K] extends (...args: never[]) => unknown ? A[K] : never
type Result<A, K extends keyof A> = Awaited<ReturnType<Method<A, K>>>
type Waiting = { resolve(result: unknown): void; reject(error: Error): void }

const patienceMs = 5_000
const children = new Set<() => Promise<void>>()
let profiles: string | null = null

/** From now on each server writes a CPU profile into this directory when it ends. Profiling costs CPU too. */
export function profileInto(directory: string): void {
  profiles = directory
}

/** Starts one of the programs in servers/ or clients/, as `servers/raw`, with flags for Node, and waits until it is ready. */
export async function startChild<A extends Api>(
  program: string,
  settings: object = {},
  flags: readonly string[] = [],
): Promise<Child<A>> {
  const file = path.join(buildDirectory, `${program}.js`)
  const profiling = profiles && program.startsWith('servers/') ? ['--cpu-prof', '--cpu-prof-dir', profiles] : []
  const child = spawn(
    process.execPath,
    [...flags, ...profiling, '--expose-gc', '--no-warnings', file, JSON.stringify(settings)],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    },
  )
  const waiting = new Map<number, Waiting>()
  const ready = new Promise<void>((resolve, reject) => waiting.set(0, { resolve: () => resolve(), reject }))
  listen(child, program, waiting)
  const stop = keep(child)
  await ready
  let last = 0
  return {
    pid: child.pid ?? 0,
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        last += 1
        waiting.set(last, { resolve: resolve as Waiting['resolve'], reject })
        const question: Question = { id: last, name: String(name), args }
        child.send(question, (error) => error && reject(error))
      }),
    stop,
  }
}

function listen(child: ChildProcess, program: string, waiting: Map<number, Waiting>): void {
  child.on('message', (answer: Answer) => {
    const { resolve, reject } = waiting.get(answer.id) ?? {}
    waiting.delete(answer.id)
    if (answer.error === undefined) resolve?.(answer.result)
    else reject?.(new Error(`${program}: ${answer.error}`))
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${program} ended (${signal ?? code})`))
    waiting.clear()
  })
}

/** Ends a process with the children, unless it has ended before; returns how to end it earlier. */
export function keep(child: ChildProcess): () => Promise<void> {
  const stop = () => end(child)
  children.add(stop)
  child.once('exit', () => children.delete(stop))
  return stop
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await Promise.race([ended, delay(patienceMs, undefined, { ref: false })])
  child.kill('SIGKILL')
  await ended
}

/** Ends every child that still runs. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...children].map((stop) => stop()))
}
