// ejabberd from the Debian packages ejabberd and erlang-p1-pgsql, as a peer: users, group chats and their archives are in a database
// of the bench's Postgres. The Erlang VM runs without distribution, so it needs no node name and no epmd. Its cost is that of its
// operating system process.

import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findFreePort } from '../../src/local/postgres.ts'
import { type Backends, query } from './backends.ts'
import { keep, type Measurable } from './child.ts'
import { ejabberdHost, ejabberdPassword } from './xmpp.ts'

const run = promisify(execFile)
const schemaFile = '/usr/share/ejabberd/sql/pg.sql'
const startMs = 30_000
/** A tick of the CPU times in /proc, in microseconds. */
const tickMicros = 10_000
/** ejabberd is idle if it needs less than this for so long. */
const [idleMicros, idleCheckMs] = [2 * tickMicros, 500]

/** A running ejabberd, with the addresses of its rooms. */
export type Ejabberd = Measurable & {
  readonly socketUrl: string
  readonly databaseUrl: string
  readonly rooms: readonly string[]
  stop(): Promise<void>
}

/** The names of the users of each group, for groups with nobody in common. */
export function namesOf(groups: number, membersEach: number): string[][] {
  return Array.from({ length: groups }, (_, group) => Array.from({ length: membersEach }, (_, n) => `g${group}m${n}`))
}

/** What every line says about ejabberd, and what this one adds; or that it was not measured. */
export function noteOf(isMeasured: boolean, more: string): string {
  return isMeasured
    ? `ejabberd: a group is a room whose members are all subscribed to it, so that each of their sessions gets each message. A send is answered by the room, which passes the message back to its sender after storing it. [How it is set up, and what it guarantees](README.md#ejabberd). ${more}`
    : 'ejabberd was not measured: the Debian packages `ejabberd` and `erlang-p1-pgsql` are not installed.'
}

/** The path of the Erlang libraries of an installed ejabberd that can reach Postgres; null if there is none. */
async function findLibraries(): Promise<string | null> {
  const control = await readFile('/usr/sbin/ejabberdctl', 'utf8').catch(() => '')
  const libraries = /^ERL_LIBS='([^']+)'/m.exec(control)?.[1]
  if (!libraries) return null
  const check = 'ok = application:load(ejabberd), {module, _} = code:ensure_loaded(pgsql), halt().'
  return run('erl', ['-noinput', '-eval', check], { env: environmentOf({ ERL_LIBS: libraries }) }).then(
    () => libraries,
    () => null,
  )
}

// biome-ignore lint/style/noProcessEnv: the Erlang VM needs the PATH and the home directory of this process
const environmentOf = (more: Record<string, string>) => ({ ...process.env, ...more })

/**
 * Starts ejabberd with a new database and a room for each group of user names; null if it is not installed. It belongs to the
 * children: `stopChildren` ends it.
 */
export async function openEjabberd(
  backends: Backends,
  name: string,
  groups: readonly (readonly string[])[],
): Promise<Ejabberd | null> {
  const libraries = await findLibraries()
  if (!libraries) return null
  const databaseUrl = await backends.createDatabase(name)
  await fill(databaseUrl, groups)
  const directory = mkdtempSync(path.join(tmpdir(), 'parley-bench-ejabberd-'))
  const port = await findFreePort()
  const config = path.join(directory, 'ejabberd.yml')
  await writeFile(config, JSON.stringify(configurationOf(databaseUrl, port)))
  const flags = ['-noinput', '+K', 'true', '+P', '250000', '+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none']
  // Quiet: it still says why it does not start.
  const own = ['-mnesia', 'dir', JSON.stringify(directory), '-ejabberd', 'quiet', 'true', '-s', 'ejabberd']
  const child = spawn('erl', [...flags, ...own], {
    cwd: directory,
    stdio: ['ignore', 'inherit', 'ignore'],
    env: environmentOf({
      ERL_LIBS: libraries,
      ERL_MAX_PORTS: '64000',
      ERL_CRASH_DUMP_BYTES: '0',
      EJABBERD_CONFIG_PATH: config,
      EJABBERD_LOG_PATH: path.join(directory, 'ejabberd.log'),
      CONTRIB_MODULES_PATH: path.join(directory, 'modules'),
    }),
  })
  child.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const stop = keep(child)
  const collect = () => collectGarbage(port)
  for (const begun = performance.now(); !(await collect().catch(() => false)); await delay(100)) {
    if (child.exitCode === null && performance.now() - begun < startMs) continue
    await stop()
    throw new Error('ejabberd did not start')
  }
  const rooms = groups.map((_, index) => `g${index}@conference.${ejabberdHost}`)
  return { ...measurable(child.pid ?? 0, collect), socketUrl: `ws://127.0.0.1:${port}/ws`, databaseUrl, rooms, stop }
}

/** The configuration. YAML contains JSON. */
function configurationOf(databaseUrl: string, port: number): object {
  const { hostname, port: sqlPort, pathname, username, password } = new URL(databaseUrl)
  return {
    hosts: [ejabberdHost],
    loglevel: 'warning',
    log_rotate_count: 0,
    listen: [
      {
        port,
        ip: '127.0.0.1',
        module: 'ejabberd_http',
        // As many connections wait as with a server of Node.
        backlog: 511,
        request_handlers: { '/ws': 'ejabberd_http_ws', '/api': 'mod_http_api' },
      },
    ],
    api_permissions: { bench: { who: { ip: '127.0.0.0/8' }, what: ['gc'] } },
    auth_method: 'sql',
    auth_password_format: 'plain',
    default_db: 'sql',
    sql_type: 'pgsql',
    sql_server: hostname,
    sql_port: Number(sqlPort),
    sql_database: pathname.slice(1),
    sql_username: username,
    sql_password: password,
    sql_pool_size: 32,
    // With them each INSERT waits 40 ms for a delayed acknowledgement of TCP: the driver does not set TCP_NODELAY.
    sql_prepared_statements: false,
    max_fsm_queue: 1_000_000,
    // Ten thousand devices take longer to open than it would wait for one of them.
    negotiation_timeout: '1 hour',
    websocket_timeout: '2 hours',
    websocket_ping_interval: '1 hour',
    shaper_rules: { max_user_sessions: 'infinity' },
    modules: {
      mod_http_api: {},
      // One copy in the room's archive, instead of one for each member.
      mod_mam: { default: 'always', user_mucsub_from_muc_archive: true },
      mod_muc: { history_size: 0 },
    },
  }
}

/** Creates the tables, the users and the rooms. */
async function fill(databaseUrl: string, groups: readonly (readonly string[])[]): Promise<void> {
  const schema = await readFile(schemaFile, 'utf8')
  const users = [...new Set(groups.flat())]
  const rooms = groups.map((members) => {
    const affiliations = members.map((user) => `{{<<"${user}">>,<<"${ejabberdHost}">>,<<>>},{member,<<>>}}`)
    return `[{persistent,true},{members_only,true},{allow_subscription,true},{mam,true},{affiliations,[${affiliations.join(',')}]}]`
  })
  const subscribers = groups.flatMap((members, room) => members.map((user) => [`g${room}`, user] as const))
  const service = `conference.${ejabberdHost}`
  await query(databaseUrl, async (client) => {
    await client.query(schema)
    await client.query('insert into users(username, password) select unnest($1::text[]), $2', [users, ejabberdPassword])
    await client.query(
      `insert into muc_room(name, host, opts)
         select 'g' || n - 1, $1, opts from unnest($2::text[]) with ordinality as room(opts, n)`,
      [service, rooms],
    )
    await client.query(
      `insert into muc_room_subscribers(room, host, jid, nick, nodes)
         select room, $1, member || '@' || $2, member, '[<<"urn:xmpp:mucsub:nodes:messages">>]'
         from unnest($3::text[], $4::text[]) as subscriber(room, member)`,
      [service, ejabberdHost, subscribers.map(([room]) => room), subscribers.map(([, user]) => user)],
    )
    await client.query('analyze')
  })
}

/** Lets every Erlang process collect its garbage; returns whether ejabberd did. */
async function collectGarbage(port: number): Promise<boolean> {
  const { ok } = await fetch(`http://127.0.0.1:${port}/api/gc`, { method: 'POST', body: '{}' })
  return ok
}

/** Waits until ejabberd has nothing to do any more, such as ending the sessions of devices that were cut. */
export async function waitUntilIdle(ejabberd: Ejabberd): Promise<void> {
  for (let [before, now] = [Number.NEGATIVE_INFINITY, await ejabberd.call('cpu')]; now - before > idleMicros; ) {
    await delay(idleCheckMs)
    ;[before, now] = [now, await ejabberd.call('cpu')]
  }
}

/** The cost of a process that is no child of Node. Its heaps are not told apart from the rest. */
function measurable(pid: number, collect: () => Promise<boolean>): Measurable {
  const answers = {
    async cpu() {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13)
      return (Number(user) + Number(system)) * tickMicros
    },
    async memory() {
      await collect()
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return { rss: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1_024, heap: Number.NaN, external: Number.NaN }
    },
  }
  return { call: (name) => answers[name]() as never }
}
