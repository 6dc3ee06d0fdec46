// Checks whether Parley can use a database, before it changes anything there. Every refusal says what to do.

import pg from 'pg'
import { addressOf } from '../config/database-url.ts'
import { StartError } from '../errors.ts'
import { nodeConnectionsMax } from './pool-sizes.ts'
import { connectionSettings, sqlStateOf } from './postgres.ts'

type DatabaseState = {
  version: number
  commit: string
  encoding: string
  isStandby: boolean
  isReadOnly: boolean
  replicationRole: string
  pid: number
}

const look = `select current_setting('server_version_num')::int as version, current_setting('synchronous_commit') as commit,
  current_setting('server_encoding') as encoding, pg_is_in_recovery() as "isStandby",
  current_setting('transaction_read_only') = 'on' as "isReadOnly",
  current_setting('session_replication_role') as "replicationRole", pg_backend_pid() as pid`

/**
 * Checks the database behind a fresh connection.
 * @throws StartError if Parley could not work on it or not keep its promises
 */
export async function requireFitness(client: pg.Client, databaseUrl: string): Promise<void> {
  const [state] = (await client.query<DatabaseState>(look)).rows
  if (!state) throw new Error('the database said nothing of itself')
  const { database, host } = addressOf(databaseUrl)
  const refuse = (sentence: string) => {
    throw new StartError(`DATABASE_URL: ${sentence}`)
  }
  if (state.version < 150_000) refuse(`Parley needs Postgres 15 or newer, and this is ${Math.floor(state.version / 10_000)}`)
  if (state.encoding !== 'UTF8') {
    refuse(
      `the database ${database} has the encoding ${state.encoding}, but Parley needs UTF8: create another one with "create database ${database} encoding 'UTF8' template template0"`,
    )
  }
  if (state.isStandby) refuse(`Postgres at ${host} is a standby, which accepts no writes: point DATABASE_URL to the primary`)
  if (state.isReadOnly) {
    refuse(
      `the database ${database} is read-only (default_transaction_read_only is on): turn it off; if your provider turned it on, find out why: often the disk is full`,
    )
  }
  if (state.replicationRole !== 'origin') {
    refuse(
      `session_replication_role is ${state.replicationRole} there, which disables the triggers that Parley needs: set it back to origin`,
    )
  }
  // An acknowledged write must be on disk (D1).
  if (state.commit === 'off') refuse('synchronous_commit is off there, so acknowledged writes could be lost: turn it on')
  if (state.pid !== keyOf(client)) await requireOwnSession(client, databaseUrl)
}

/** The process id that the server announced when it accepted the connection. A pooler announces another one than Postgres. */
function keyOf(client: pg.Client): number | null {
  return (client as unknown as { readonly processID: number | null }).processID
}

const rounds = 5
/** How long the pooler may take to open a second connection. */
const secondMs = 5_000

/**
 * Checks that a pooler reserves a session for each client. In transaction mode, a second client gets the session in which the
 * first one made a setting, or the first one is moved to another session.
 */
async function requireOwnSession(client: pg.Client, databaseUrl: string): Promise<void> {
  const mark = `parley ${Math.random()}`
  const read = async (session: pg.Client) =>
    (await session.query<{ mark: string | null }>("select current_setting('parley.mark', true) as mark")).rows[0]?.mark
  await client.query("select set_config('parley.mark', $1, false)", [mark])
  for (let round = 0; round < rounds; round += 1) {
    const other = new pg.Client({ ...connectionSettings(databaseUrl, 'parley migrate'), query_timeout: secondMs })
    other.on('error', () => undefined)
    try {
      await other.connect()
      await other.query('begin')
      if ((await read(other)) !== mark && (await read(client)) === mark) continue
    } catch (error) {
      // A full pool in session mode does not answer; a pool in statement mode refuses transactions, with a code.
      if (sqlStateOf(error) === undefined) {
        throw new StartError(
          `DATABASE_URL: the pooler at ${addressOf(databaseUrl).host} has no second connection for Parley: raise its pool size, because a node needs up to ${nodeConnectionsMax}`,
          { cause: error },
        )
      }
    } finally {
      await other.end().catch(() => undefined)
    }
    throw new StartError(
      `DATABASE_URL: the pooler at ${addressOf(databaseUrl).host} shares one connection among several clients (transaction or statement mode): connect Parley to Postgres directly, or to a pool in session mode`,
    )
  }
}
