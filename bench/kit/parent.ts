// The child's end of child.ts: a process of the bench answers its parent, reports its own cost, and ends when its parent does.

/** The CPU time of a process, in microseconds. */
export type Cpu = number
/** The memory of a process, in bytes, after a full collection if it was started with `--expose-gc`. */
export type Memory = { readonly rss: number; readonly heap: number; readonly external: number }

/** The answers of a child, by name. */
export type Api = { readonly [name: string]: (...args: never[]) => unknown }
/** What every child can answer. */
export type Basics = { cpu(): Cpu; memory(): Memory; rss(): number }

export type Question = { readonly id: number; readonly name: string; readonly args: readonly unknown[] }
export type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string }

/** The settings of this process. */
export function settings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

const basics: Basics = {
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  rss: () => process.memoryUsage.rss(),
  memory() {
    for (let round = 0; round < 4; round += 1) globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { rss, heap: heapUsed, external }
  },
}

/** Answers the parent from now on, and tells it so. */
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
  // Exit explicitly: a profile is written at the exit.
  for (const end of ['disconnect', 'SIGTERM'] as const) process.on(end, () => process.exit(0))
  tell({ id: 0 })
}
