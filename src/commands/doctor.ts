// `parley doctor`: checks whether a node with this environment would work well here, and says what to do about what it finds. It
// changes nothing.

import { access, constants, statfs } from 'node:fs/promises'
import path from 'node:path'
import { checkRedis } from '../bus/check-redis.ts'
import { type Config, ConfigError } from '../config/config.ts'
import { readConfig } from '../config/read-config.ts'
import { countLeftovers } from '../encryption/leftovers.ts'
import { openLog } from '../log/log.ts'
import { findBrokenSeal } from '../platform/audit.ts'
import { listFailures } from '../push/jobs/failures.ts'
import { examineDatabase } from '../store/examine.ts'
import { openStore } from '../store/store.ts'
import { type Command, FailedResult, noMore } from './command.ts'

/** A finding. `warn` does not make the command fail. */
type Finding = { readonly level: 'ok' | 'warn' | 'FAIL'; readonly what: string; readonly says: string }
type Report = (level: Finding['level'], what: string, says: string) => void

const gigabyte = 1_073_741_824
/** How far the clock of Postgres may be off, in milliseconds. */
const driftMs = { warn: 1_000, fail: 30_000 } as const
/** With a slower Postgres, sends are slow. */
const answerMsMax = 20

export const doctor: Command = {
  summary: 'Checks settings, database, Redis, clock, disk and keys, and says how to fix what is wrong.',
  usage: [''],
  help: 'It prints a line for each check: ok, warn or FAIL. It exits with 1 if a check failed. It changes nothing.',
  async run(given) {
    noMore(given)
    const findings: Finding[] = []
    const report: Report = (level, what, says) => findings.push({ level, what, says })
    const config = checkConfiguration(report)
    if (config) {
      checkSettings(config, report)
      await checkDirectory(config, report)
      await checkDatabase(config, report)
      await checkBus(config, report)
    }
    const text = findings.map(({ level, what, says }) => `${level.padEnd(4)}  ${what}: ${says}`).join('\n')
    if (findings.some(({ level }) => level === 'FAIL')) throw new FailedResult(text)
    return text
  },
}

function checkConfiguration(report: Report): Config | null {
  try {
    const config = readConfig()
    report('ok', 'Configuration', `every variable is valid; ${config.isProduction ? 'production' : 'not production'}`)
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const fault of error.faults) report('FAIL', 'Configuration', fault)
    return null
  }
}

function checkSettings({ http, isProduction, isSeeded, node, push, secrets, signUp, databaseUrl }: Config, report: Report): void {
  if (secrets.vapid) report('ok', 'Push keys', 'Web Push has its keys')
  else if (databaseUrl === null) report('ok', 'Push keys', 'Parley makes its own in the data directory')
  else report('warn', 'Push keys', 'there is no Web Push: set PARLEY_VAPID_PUBLIC_KEY and PARLEY_VAPID_PRIVATE_KEY')
  if (!isProduction) return
  if (isSeeded) report('warn', 'PARLEY_SEED', 'on: it creates alice, bob, carol and dan with a known password. Turn it off')
  if (http.trustedProxies.length === 0)
    report(
      'warn',
      'PARLEY_TRUSTED_PROXIES',
      'not set: behind a proxy, all clients share the address of the proxy, and one set of limits. Set it if there is a proxy',
    )
  if (node.publicUrl === null && (http.host === '0.0.0.0' || http.host === '::'))
    report('warn', 'PARLEY_PUBLIC_URL', 'not set: `gateway` recommends only nodes that have one')
  if (signUp === 'open') report('warn', 'PARLEY_SIGN_UP', 'open: anybody who reaches this server may create accounts')
  if (push.allowsPrivate) report('warn', 'PARLEY_PUSH_ALLOW_PRIVATE', 'on: notifications may go to private addresses')
}

async function checkDirectory({ dataDirectory, databaseUrl, secrets }: Config, report: Report): Promise<void> {
  if (databaseUrl !== null && secrets.token !== null) return
  const directory = path.resolve(dataDirectory)
  try {
    const place = await findExisting(directory)
    await access(place, constants.W_OK)
    const { bavail, bsize } = await statfs(place)
    const free = (bavail * bsize) / gigabyte
    if (free < 1) report('FAIL', 'Disk', `${free.toFixed(1)} GiB free at ${directory}: make room`)
    else report(free < 5 ? 'warn' : 'ok', 'Disk', `${free.toFixed(1)} GiB are free at ${directory}`)
  } catch (error) {
    report('FAIL', 'PARLEY_DATA_DIR', `cannot write to ${directory}: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** A directory, or the one that it would be made in. */
async function findExisting(directory: string): Promise<string> {
  for (let place = directory; ; place = path.dirname(place)) {
    const isThere = await access(place).then(
      () => true,
      () => false,
    )
    if (isThere || place === path.dirname(place)) return place
  }
}

async function checkDatabase({ databaseUrl }: Config, report: Report): Promise<void> {
  if (databaseUrl === null) {
    report('ok', 'Postgres', 'Parley starts its own in the data directory; set DATABASE_URL to use another')
    return
  }
  try {
    const { version, answerMs, aheadMs, bytes, pending, mayMigrate } = await examineDatabase(databaseUrl)
    report('ok', 'Postgres', `${version}, ${(bytes / gigabyte).toFixed(2)} GiB`)
    if (answerMs > answerMsMax) report('warn', 'Postgres', `it takes ${answerMs} ms to answer: move it nearer to the nodes`)
    checkClock(aheadMs, answerMs, report)
    if (!mayMigrate)
      report('FAIL', 'Rights', 'the database user cannot create tables: grant it CREATE on the database and on schema public')
    if (pending.length > 0) {
      report('warn', 'Schema', `parley migrate, or the next node that starts, will apply ${pending.join(', ')}`)
      return
    }
    report('ok', 'Schema', 'up to date')
    await checkLeftovers(databaseUrl, report)
  } catch (error) {
    report('FAIL', 'Postgres', (error as Error).message)
  }
}

function checkClock(aheadMs: number, answerMs: number, report: Report): void {
  const off = Math.max(0, Math.abs(aheadMs) - answerMs / 2)
  const says = `the clocks of this machine and of Postgres differ by ${(off / 1_000).toFixed(1)} s`
  if (off > driftMs.fail) report('FAIL', 'Clock', `${says}: tokens and presence would be wrong. Synchronise both, with NTP`)
  else report(off > driftMs.warn ? 'warn' : 'ok', 'Clock', says)
}

async function checkLeftovers(databaseUrl: string, report: Report): Promise<void> {
  const store = openStore(databaseUrl, 1, openLog('silent', 'parley'))
  try {
    const failures = await listFailures(store.jobs.reader)
    if (failures.length === 0) report('ok', 'Notifications', 'none was given up in the last week')
    else report('warn', 'Notifications', `${failures.length} were given up in the last week: see parley push-failures`)
    const seal = await findBrokenSeal(store.jobs.reader)
    if (seal === null) report('ok', 'Audit log', 'every seal holds')
    else report('FAIL', 'Audit log', `somebody has changed or removed entries: seal ${seal} does not hold (table audit_seal)`)
    const { devices, keyPackages, welcomes } = await countLeftovers(store.jobs.reader)
    const counts = `${devices} devices without a session, ${keyPackages} key packages and ${welcomes} Welcomes`
    if (devices + keyPackages + welcomes === 0) report('ok', 'Encryption', 'nothing is overdue')
    else report('warn', 'Encryption', `${counts} should be gone: a running node removes them within minutes`)
  } finally {
    await store.close()
  }
}

async function checkBus({ redis }: Config, report: Report): Promise<void> {
  if (redis === null) {
    report('ok', 'Redis', 'none: this must be the only node')
    return
  }
  try {
    const answers = await checkRedis(redis)
    if (answers) report('ok', 'Redis', 'it grants what Parley needs')
    else report('FAIL', 'Redis', 'it does not answer: events from other nodes come late, and presence is not shared')
  } catch (error) {
    report('FAIL', 'Redis', (error as Error).message)
  }
}
