// Postgres clusters that a test stops, copies, cuts off and promotes; and an address that stays while the cluster behind it
// changes, like a virtual IP or a DNS name in production.

import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { type EmbeddedPostgres, startPostgres } from '../../src/local/postgres.ts'
import { openLog } from '../../src/log/log.ts'
import { closeAtEnd } from './node.ts'
import type { SlowDisk } from './slow-disk.ts'

const run = promisify(execFile)
const password = 'a password for the tests'
const log = openLog('warn', 'test')

/** A cluster in a directory, running or stopped. */
export class Cluster {
  readonly directory: string
  readonly #disk: SlowDisk | null
  #server: EmbeddedPostgres | null = null

  private constructor(directory: string, disk: SlowDisk | null = null) {
    this.directory = directory
    this.#disk = disk
  }

  /** A new, running cluster on the given disk. */
  static async create(disk: SlowDisk | null = null): Promise<Cluster> {
    const parent = await mkdtemp(path.join(tmpdir(), 'parley-cluster-'))
    closeAtEnd(() => rm(parent, { recursive: true, force: true }))
    const cluster = new Cluster(path.join(parent, 'data'), disk)
    await cluster.start()
    return cluster
  }

  get isRunning(): boolean {
    return this.#server !== null
  }

  get url(): string {
    if (!this.#server) throw new Error('the cluster is stopped')
    return this.#server.url
  }

  async start(): Promise<void> {
    const start = () => startPostgres(this.directory, password, log, ['wal_keep_size=256MB'])
    const server = await (this.#disk ? this.#disk.preloaded(start) : start())
    closeAtEnd(() => server.stop())
    this.#server = server
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
    this.#server = null
  }

  /** Ends all of its processes at once, like a machine that loses its power: pending writes are lost. */
  async kill(): Promise<void> {
    this.killNow()
    await this.stop()
  }

  /** The same, while this process stands still. `kill` or `stop` has to follow. */
  killNow(): void {
    const postmaster = Number.parseInt(readFileSync(path.join(this.directory, 'postmaster.pid'), 'utf8'), 10)
    process.kill(postmaster, 'SIGSTOP') // so that it starts no more processes
    const stdout = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString()
    const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
    const children = processes.flatMap(([pid = 0, parent]) => (parent === postmaster ? [pid] : []))
    for (const pid of [postmaster, ...children]) process.kill(pid, 'SIGKILL')
  }

  /** A stopped cluster with the data of this one when it was stopped: a cold backup. */
  async copy(): Promise<Cluster> {
    if (this.#server) throw new Error('a cold copy is made of a stopped cluster')
    const copied = new Cluster(`${this.directory}-copy`)
    await run('cp', ['-a', this.directory, copied.directory])
    return copied
  }

  /** Makes a stopped copy follow a running cluster by streaming replication, and starts it. */
  async follow(primary: Cluster): Promise<void> {
    const { hostname, port, username } = new URL(primary.url)
    const conninfo = `host=${hostname} port=${port} user=${username} password=''${password}''`
    await appendFile(path.join(this.directory, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`)
    await writeFile(path.join(this.directory, 'standby.signal'), '')
    await this.start()
  }

  /** Runs a statement as the superuser; returns its first row. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row> {
    const client = new pg.Client({ connectionString: this.url })
    await client.connect()
    try {
      const { rows } = await client.query<Row>(text, values)
      return rows[0] as Row
    } finally {
      await client.end()
    }
  }
}

/** An address that leads to one cluster after another. */
export class Address {
  readonly #sockets = new Set<Socket>()
  readonly #port: number
  #target: Cluster

  private constructor(port: number, target: Cluster) {
    this.#port = port
    this.#target = target
  }

  static async open(target: Cluster): Promise<Address> {
    const server = createServer((socket) => address.#pass(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = new Address((server.address() as AddressInfo).port, target)
    closeAtEnd(async () => {
      server.close()
      address.#cut()
    })
    return address
  }

  /** The database of its current cluster, by this address. */
  get url(): string {
    return Object.assign(new URL(this.#target.url), { port: String(this.#port) }).href
  }

  /** Leads to another cluster from now on. Connections to the former one break. */
  lead(target: Cluster): void {
    this.#target = target
    this.#cut()
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #pass(inward: Socket): void {
    if (!this.#target.isRunning) {
      inward.destroy()
      return
    }
    const outward = connect(Number(new URL(this.#target.url).port), '127.0.0.1')
    for (const [socket, other] of [
      [inward, outward],
      [outward, inward],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }
}
