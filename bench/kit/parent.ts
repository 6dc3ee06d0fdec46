// The child's end of what child.ts opens: a process of the bench answers the questions of the one that started it, tells what
// it cost so far, and ends when its parent does.

/** What a process has used of the processor, in microseconds. */
export type Cpu = number
/** What a process holds, in bytes, after a full collection where it was started with `--expose-gc`. */
export type Memory = { readonly rss: number; readonly heap: number; readonly external: number }

/** What a child answers, by name. */
export type Api = { readonly [name: string]: (...args: never[]) => unknown }
/** What every child answers. */
export type Basics = { cpu(): Cpu; memory(): Memory }

export type Question = { readonly id: number; readonly name: string; readonly args: readonly unknown[] }
export type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string }

/** The settings that this process was started with. */
export function settings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

const basics: Basics = {
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  memory() {
    for (let round = 0; round < 4; round += 1) globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { rss, heap: heapUsed, external }
  },
}

/** Answers the parent's questions from now on, and tells it so. */
export function expose(api: Api): void {
  const all: Api = { ...basics, ...api } as Api
  const tell = (answer: Answer) => process.send?.(answer)
  process.on('message', (question: Question) => {
    const { id, name, args } = question
    Promise.resolve()
      .then(() => all[name]?.(...(args as never[])))
      .then(
        (result) => tell({ id, result }),
        (error: unknown) => tell({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      )
  })
  // An end of its own making: a profile is written at the exit.
  for (const end of ['disconnect', 'SIGTERM'] as const) process.on(end, () => process.exit(0))
  tell({ id: 0 })
}
