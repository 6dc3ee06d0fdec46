// A Patroni cluster as operators run it: etcd, three members and HAProxy, on the files in deploy/ with other addresses. Everything
// listens on loopback and ends with the test.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
/** A member copies the primary, or a failover waits for a lease of 20 s. */
const patienceMs = 90_000

type Identity = { readonly uid: number; readonly gid: number }

/** The file of deploy/, with these replacements. */
async function shipped(name: string, replacements: readonly (readonly [from: string, to: string])[]): Promise<string> {
  const text = await readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8')
  return replacements.reduce((config, [from, to]) => {
    if (!config.includes(from)) throw new Error(`deploy/${name} has no "${from}" any more`)
    return config.replaceAll(from, to)
  }, text)
}

/** One member: Patroni and its Postgres. */
export class Member {
  readonly name: string
  readonly port: number
  readonly restPort: number
  readonly #directory: string
  readonly #identity: Identity
  #patroni: ChildProcess | null = null
  #said = ''

  constructor(name: string, port: number, restPort: number, directory: string, identity: Identity) {
    this.name = name
    this.port = port
    this.restPort = restPort
    this.#directory = directory
    this.#identity = identity
  }

  /** Writes its configuration, from the shipped one. */
  async configure(etcdPort: number): Promise<void> {
    await mkdir(this.#directory)
    await chown(this.#directory, this.#identity.uid, this.#identity.gid)
    const text = await shipped('patroni.yml', [
      ['name: parley-1', `name: ${this.name}`],
      ['10.0.0.11:2379', `127.0.0.1:${etcdPort}`],
      ['10.0.0.11:8008', `127.0.0.1:${this.restPort}`],
      ['10.0.0.11:5432', `127.0.0.1:${this.port}`],
      ['/var/lib/postgresql', this.#directory],
      ['10.0.0.0/24', '127.0.0.1/32'],
      ['pgpass:', `parameters: { unix_socket_directories: '${this.#directory}' }\n  pgpass:`],
    ])
    await writeFile(this.#file, text)
  }

  get #file(): string {
    return path.join(this.#directory, 'patroni.yml')
  }

  start(): void {
    const { uid, gid } = this.#identity
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: this.#directory, LC_ALL: 'C.UTF-8' }
    const child = spawn('patroni', [this.#file], { cwd: '/', uid, gid, env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.#said = (this.#said + String(chunk)).slice(-6_000)
      })
    }
    child.once('error', (error) => {
      this.#said += String(error)
    })
    this.#patroni = child
  }

  /** What Patroni says of it: 200 if it has this role. */
  async isRole(role: 'primary' | 'replica' | 'synchronous'): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1:${this.restPort}/${role}`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => null,
    )
    await response?.arrayBuffer().catch(() => undefined)
    return response?.status === 200
  }

  /** Calls Patroni's REST interface. */
  async call(method: string, where: string, body: object): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.restPort}/${where}`, { method, body: JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`Patroni refused ${method} /${where}: ${response.status} ${text}`)
  }

  /** Runs a statement in Parley's database as the superuser, past the proxy; returns its first row. */
  async query<Row extends pg.QueryResultRow>(text: string, database = 'parley'): Promise<Row> {
    const password = 'the password of the superuser'
    const client = new pg.Client({ host: '127.0.0.1', port: this.port, user: 'postgres', password, database })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query<Row>(text)).rows[0] as Row
    } finally {
      await client.end()
    }
  }

  /** Stops its Patroni, and not its Postgres, until `thaw`. */
  freeze(): void {
    this.#patroni?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#patroni?.kill('SIGCONT')
  }

  /** Ends Patroni and all processes of Postgres with SIGKILL, like a machine that loses its power. */
  async kill(): Promise<void> {
    this.#patroni?.kill('SIGKILL')
    const file = path.join(this.#directory, 'patroni/postmaster.pid')
    const postmaster = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
    if (!(postmaster > 0) || !(await isPostgres(postmaster))) return
    process.kill(postmaster, 'SIGSTOP') // so that it starts no more processes
    const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
    const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
    const children = processes.flatMap(([pid = 0, parent]) => (parent === postmaster ? [pid] : []))
    for (const pid of [postmaster, ...children]) process.kill(pid, 'SIGKILL')
  }

  /** The end of Patroni's log. */
  get tail(): string {
    return `${this.name}: ${this.#said}`
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).startsWith('postgres')
}

/** The cluster and the address of its primary. */
export class PatroniCluster {
  readonly members: readonly Member[]
  readonly #proxyPort: number

  private constructor(members: readonly Member[], proxyPort: number) {
    this.members = members
    this.#proxyPort = proxyPort
  }

  /** Starts it, with an empty database for Parley. */
  static async open(): Promise<PatroniCluster> {
    const directory = await mkdtemp(path.join(tmpdir(), 'parley-patroni-'))
    closeAtEnd(() => rm(directory, { recursive: true, force: true }))
    const [uid = 0, gid = 0] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
    )
    await chown(directory, uid, gid)
    const etcdPort = await openEtcd(path.join(directory, 'etcd'))
    const members: Member[] = []
    for (const i of [1, 2, 3]) {
      const [port, restPort] = [await findFreePort(), await findFreePort()]
      const member = new Member(`parley-${i}`, port, restPort, path.join(directory, `${i}`), { uid, gid })
      await member.configure(etcdPort)
      closeAtEnd(() => member.kill())
      members.push(member)
    }
    const cluster = new PatroniCluster(members, await openProxy(directory, members))
    // The first one initialises; the others copy it.
    members[0]?.start()
    await cluster.primary()
    for (const member of members.slice(1)) member.start()
    await cluster.isComplete('synchronous')
    const primary = await cluster.primary()
    await primary.query(`create role parley login password 'the password of Parley'`, 'postgres')
    await primary.query('create database parley owner parley', 'postgres')
    return cluster
  }

  /** DATABASE_URL: Parley's database, behind the proxy. */
  get url(): string {
    return `postgresql://parley:${encodeURIComponent('the password of Parley')}@127.0.0.1:${this.#proxyPort}/parley`
  }

  /** Waits for a primary. @param other one that it must not be */
  async primary(other?: Member): Promise<Member> {
    let found: Member | undefined
    await this.#wait('a primary', async () => {
      for (const member of this.members) if (member !== other && (await member.isRole('primary'))) found = member
      return found !== undefined
    })
    return found as Member
  }

  /** Waits until all three take part: a primary and two standbys; `synchronous`: one that commits wait for. */
  async isComplete(wanted: 'synchronous' | 'replica'): Promise<void> {
    await this.#wait(`a primary, and standbys of which one is ${wanted}`, async () => {
      const count = async (role: 'primary' | 'replica' | 'synchronous') =>
        (await Promise.all(this.members.map((member) => member.isRole(role)))).filter(Boolean).length
      const isRight = (await count('primary')) === 1 && (await count('replica')) === 2
      return isRight && (wanted === 'replica' || (await count('synchronous')) === 1)
    })
  }

  async #wait(what: string, holds: () => Promise<boolean>): Promise<void> {
    await until(what, holds, patienceMs).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.members.map(({ tail }) => tail).join('\n')}`)
    })
  }
}

async function openEtcd(directory: string): Promise<number> {
  const [port, peerPort] = [await findFreePort(), await findFreePort()]
  const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`]
  const own = ['--listen-client-urls', url, '--advertise-client-urls', url, '--listen-peer-urls', peerUrl]
  const peers = ['--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`]
  end(spawn('etcd', ['--data-dir', directory, ...own, ...peers], { stdio: 'ignore' }))
  await until('etcd (apt install etcd-server) to answer', async () => {
    return (await fetch(`${url}/health`).catch(() => null))?.ok ?? false
  })
  return port
}

async function openProxy(directory: string, members: readonly Member[]): Promise<number> {
  const port = await findFreePort()
  const text = await shipped('haproxy.cfg', [
    ['10.0.0.10:5432', `127.0.0.1:${port}`],
    ...members.map(
      ({ port, restPort }, i) => [`10.0.0.1${i + 1}:5432 check port 8008`, `127.0.0.1:${port} check port ${restPort}`] as const,
    ),
  ])
  const file = path.join(directory, 'haproxy.cfg')
  await writeFile(file, text)
  end(spawn('haproxy', ['-db', '-q', '-f', file], { stdio: 'ignore' }))
  return port
}

/** Ends it with the test. */
function end(child: ChildProcess): void {
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve))
  closeAtEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
}
