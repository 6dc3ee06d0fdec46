// The machine of the numbers.

import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, type as system, totalmem } from 'node:os'
import path from 'node:path'
import { bench, root } from './build.ts'
import { number } from './stats.ts'

const packages: readonly (readonly [from: string, names: readonly string[]])[] = [
  [root, ['graphql', 'graphql-yoga', 'graphql-ws', 'ws', 'pg', 'ioredis']],
  [
    bench,
    ['ws', 'socket.io', '@socket.io/redis-adapter', 'graphql-yoga', 'graphql-ws', 'mercurius', 'graphql-jit', '@prisma/client'],
  ],
]

const versionOf = (from: string, name: string) =>
  (JSON.parse(readFileSync(path.join(from, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version

/** The machine and the versions, as lines of a page. */
export function describeMachine(postgres: string): string[] {
  const [own, peers] = packages.map(([from, names]) => names.map((name) => `${name} ${versionOf(from, name)}`).join(', '))
  return [
    `- Machine: ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${number(totalmem() / 2 ** 30, 1)} GiB, ${system()} ${release()}`,
    `- Node ${process.versions.node}, Postgres ${postgres}`,
    `- Parley with ${own}`,
    `- Peers: ${peers}`,
  ]
}

/** The current load of the machine, over one, five and fifteen minutes. */
export function describeLoad(): string {
  return loadavg()
    .map((load) => number(load, 2))
    .join(', ')
}
