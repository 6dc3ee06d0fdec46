// A Redis that Parley cannot use is refused at start with one sentence. One that goes away and comes back makes one log line
// each.

import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { beforeAll, expect, inject, test } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { checkRedis } from '../../src/bus/check-redis.ts'
import { openRedisCounters } from '../../src/bus/counters.ts'
import { changeForm } from '../../src/bus/leases.ts'
import { aclRules, redisWords } from '../../src/bus/redis-faults.ts'
import { openRedisLeases } from '../../src/bus/redis-leases.ts'
import { systemClock } from '../../src/clock.ts'
import type { ConfigError } from '../../src/config/config.ts'
import { sessionIdOf, userIdOf } from '../../src/id.ts'
import { findFreePort } from '../../src/local/postgres.ts'
import { Outage } from '../../src/log/outage.ts'
import { anything, busOn, clusterOfFile, redisAt, redisOf, silent } from '../support/bus.ts'
import { closeAtEnd, configOf, type Environment } from '../support/node.ts'
import { findRedis } from '../support/servers.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
let directory: string
/** A Redis that speaks TLS, with an unknown certificate. */
let tlsUrl: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'parley-redis-'))
  closeAtEnd(() => rm(directory, { recursive: true, force: true }))
})

/** Starts a Redis with these configuration lines; `PORT` stands for its port. */
async function start(...lines: string[]): Promise<number> {
  const port = await findFreePort()
  const file = path.join(directory, `${port}.conf`)
  const common = ['port PORT', 'bind 127.0.0.1', `dir ${directory}`, 'protected-mode no']
  await writeFile(file, [...common, ...lines].join('\n').replaceAll('PORT', String(port)))
  const isSentinel = lines.some((line) => line.startsWith('sentinel'))
  const child = spawn(await findRedis(), [file, ...(isSentinel ? ['--sentinel'] : [])], { stdio: 'ignore' })
  closeAtEnd(async () => void child.kill('SIGKILL'))
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
  await until('it to listen', answers)
  return port
}
const refusal = (url: string, more: Environment = {}) =>
  checkRedis(redisOf({ REDIS_URL: url, ...more })).then(
    () => 'none',
    (error: Error) => `${error.name}: ${error.message}`,
  )

/** Whether a message over this bus arrives. */
async function carries(bus: Bus): Promise<boolean> {
  const topic = `parley:test:${randomUUID()}`
  let isHere = false
  const unsubscribe = await bus.subscribe(topic, anything, () => {
    isHere = true
  })
  bus.publish(topic, 1)
  await delay(100)
  await unsubscribe()
  return isHere
}

test('refuses an unusable Redis with one sentence each; an unreachable one is no error', { timeout: 60_000 }, async () => {
  const acl = (name: string, rules: string) => `user ${name} on >pw ${rules}`
  const users = [
    acl('nochannels', '~* resetchannels +@all'),
    acl('nokeys', 'resetkeys &* +@all'),
    acl('nocommands', '~* &* +@all -eval -evalsha'),
  ]
  const [plain, secret, cluster] = [await start(...users), await start('requirepass right'), await start('cluster-enabled yes')]
  const replica = await start(`replicaof 127.0.0.1 ${plain}`)
  const sentinel = await start(`sentinel monitor main 127.0.0.1 ${plain} 1`)
  const keys = ['-keyout', `${directory}/key.pem`, '-out', `${directory}/cert.pem`]
  const names = ['-subj', '/CN=x', '-addext', 'subjectAltName=IP:127.0.0.1']
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...names, ...keys])
  const tls = await start(
    'port 0',
    'tls-port PORT',
    `tls-cert-file ${directory}/cert.pem`,
    `tls-key-file ${directory}/key.pem`,
    'tls-auth-clients no',
    `tls-ca-cert-file ${directory}/cert.pem`,
  )
  tlsUrl = `rediss://127.0.0.1:${tls}`
  const at = (port: number, login = '') => `redis://${login}127.0.0.1:${port}`
  const cases: readonly (readonly [string, RegExp])[] = [
    [at(plain), /^none$/],
    [at(secret, ':right@'), /^none$/],
    [at(1), /^none$/],
    [at(secret), /^StartError: REDIS_URL: .* requires a password/],
    [at(secret, ':wrong@'), /^StartError: REDIS_URL: .* rejects the user or the password/],
    [at(plain, 'nochannels:pw@'), /^StartError: REDIS_URL: .* ACL .*&parley/],
    [at(plain, 'nokeys:pw@'), /^StartError: REDIS_URL: .* ACL/],
    [at(plain, 'nocommands:pw@'), /^StartError: REDIS_URL: .* ACL/],
    [`${at(plain)}/99`, /^StartError: REDIS_URL: .* no database with the number/],
    [at(cluster), /^StartError: REDIS_URL: .* is a Redis Cluster: set PARLEY_REDIS_MODE to cluster/],
    [at(sentinel), /^StartError: REDIS_URL: .* is a Sentinel: set PARLEY_REDIS_MODE to sentinel, and PARLEY_REDIS_MASTER/],
    [at(replica), /^StartError: REDIS_URL: .* read-only replica/],
    [at(tls), /^StartError: REDIS_URL: .* use rediss:/],
    [`rediss://127.0.0.1:${plain}`, /^StartError: REDIS_URL: .* use redis:/],
    [tlsUrl, /^StartError: REDIS_URL: .* certificate is not trusted: set PARLEY_REDIS_CA_FILE/],
  ]
  for (const [url, sentence] of cases)
    expect(`${url}: ${await refusal(url)}`).toMatch(new RegExp(sentence.source.replace('^', ': ')))
  expect(await refusal(inject('redisUrl'))).toBe('none')

  const inCluster = { PARLEY_REDIS_MODE: 'cluster' }
  expect(await refusal(at(plain), inCluster)).toMatch(/^StartError: REDIS_URL: .* is no Redis Cluster, but a single Redis: set/)
  expect(await refusal(at(sentinel), inCluster)).toMatch(/^StartError: REDIS_URL: .* is no Redis Cluster, but a Sentinel: set/)
  expect(await refusal(at(cluster), inCluster)).toMatch(/^StartError: REDIS_URL: .* belongs to no Redis Cluster yet/)
  expect(await refusal(at(1), inCluster)).toBe('none')
  expect(await refusal((await clusterOfFile()).url, inCluster)).toBe('none')

  const bySentinel = (master: string) => ({ PARLEY_REDIS_MODE: 'sentinel', PARLEY_REDIS_MASTER: master })
  expect(await refusal(`${at(1)},${at(sentinel)}`, bySentinel('main'))).toBe('none')
  expect(await refusal(at(sentinel), bySentinel('other'))).toMatch(
    /^StartError: PARLEY_REDIS_MASTER: .* no primary with the name other/,
  )
  expect(await refusal(at(plain), bySentinel('main'))).toMatch(/^StartError: REDIS_URL: .* is not a Sentinel/)
  expect(await refusal(at(1), bySentinel('main'))).toBe('none')
  const locked = await start(`sentinel monitor main 127.0.0.1 ${secret} 1`, 'requirepass closed')
  expect(await refusal(at(locked), bySentinel('main'))).toMatch(/^StartError: REDIS_URL: .* set PARLEY_REDIS_SENTINEL_PASSWORD/)
  const opened = { ...bySentinel('main'), PARLEY_REDIS_SENTINEL_PASSWORD: 'closed' }
  expect(await refusal(at(locked, ':wrong@'), opened)).toMatch(/^StartError: REDIS_URL: .* rejects the user or the password/)
  expect(await refusal(at(locked, ':right@'), opened)).toBe('none')
})

test('trusts a certificate authority of your own, from PARLEY_REDIS_CA_FILE or through NODE_EXTRA_CA_CERTS', async () => {
  expect(await refusal(tlsUrl, { PARLEY_REDIS_CA_FILE: `${directory}/cert.pem` })).toBe('none')
  const own = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=y']
  await run('openssl', [...own, '-keyout', `${directory}/key2.pem`, '-out', `${directory}/other.pem`])
  expect(await refusal(tlsUrl, { PARLEY_REDIS_CA_FILE: `${directory}/other.pem` })).toMatch(/certificate is not trusted/)
  const script = `import { checkRedis } from './src/bus/check-redis.ts'; await checkRedis({ mode: 'single', urls: ['${tlsUrl}'], ca: null, master: '', sentinelPassword: null }); console.log('usable')`
  const options = { cwd: root, env: { NODE_EXTRA_CA_CERTS: `${directory}/cert.pem` } }
  const told = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], options)
  expect(told.stdout).toBe('usable\n')
  const bus = busOn(redisOf({ REDIS_URL: tlsUrl, PARLEY_REDIS_CA_FILE: `${directory}/cert.pem` }))
  closeAtEnd(() => bus.close())
  await until('the bus to carry', () => carries(bus))
})

test('follows the primary that Sentinels name, also to another server', { timeout: 60_000 }, async () => {
  const primary = await start('repl-diskless-sync-delay 0')
  const replica = await start(`replicaof 127.0.0.1 ${primary}`)
  const watch = [`sentinel monitor main 127.0.0.1 ${primary} 1`, 'sentinel down-after-milliseconds main 500']
  const sentinel = await start(...watch, 'sentinel failover-timeout main 2000')
  const settings = redisOf({
    REDIS_URL: `redis://127.0.0.1:${sentinel}`,
    PARLEY_REDIS_MODE: 'sentinel',
    PARLEY_REDIS_MASTER: 'main',
  })
  const bus = busOn(settings)
  closeAtEnd(() => bus.close())
  await until('the bus to carry', () => carries(bus))
  const [admin, second] = [new Redis(primary), new Redis(replica)]
  closeAtEnd(async () => {
    admin.disconnect()
    second.disconnect()
  })
  for (const each of [admin, second]) each.on('error', () => undefined)
  await until('the replica to be in step', async () => /master_link_status:up/.test(await second.info('replication')))
  admin.shutdown('NOSAVE').catch(() => undefined)
  await until('the primary to be gone', () => admin.status !== 'ready')
  admin.disconnect()
  await until('the replica to take over', async () => /role:master/.test(await second.info('replication')), 30_000)
  await until('the bus to carry again', () => carries(bus), 20_000)
})

test('names everything that is wrong with the variables of Redis', () => {
  const faultsOf = (environment: Environment) => {
    try {
      configOf(environment)
      return []
    } catch (error) {
      return (error as ConfigError).faults
    }
  }
  const [one, two] = ['redis://a:1', 'redis://b:2']
  expect(faultsOf({ REDIS_URL: `${one},${two}` })).toEqual([
    expect.stringMatching(/^REDIS_URL names several addresses: set PARLEY_REDIS_MODE/),
  ])
  expect(faultsOf({ REDIS_URL: `${one}, ${two}`, PARLEY_REDIS_MODE: 'cluster' })).toEqual([])
  expect(faultsOf({ REDIS_URL: 'redis://:a,b@a:1', PARLEY_REDIS_MODE: 'single' })).toEqual([])
  expect(faultsOf({ REDIS_URL: `${one},rediss://b:2`, PARLEY_REDIS_MODE: 'cluster' })).toEqual([
    expect.stringMatching(/^REDIS_URL: .* must differ only/),
  ])
  expect(faultsOf({ REDIS_URL: `${one}/3`, PARLEY_REDIS_MODE: 'cluster' })).toEqual([
    expect.stringMatching(/^REDIS_URL must not end/),
  ])
  expect(faultsOf({ REDIS_URL: one, PARLEY_REDIS_MODE: 'sentinel' })).toEqual([
    expect.stringMatching(/^PARLEY_REDIS_MASTER must be set/),
  ])
  expect(faultsOf({ REDIS_URL: one, PARLEY_REDIS_MASTER: 'main' })).toEqual([
    expect.stringMatching(/^PARLEY_REDIS_MASTER is for Sentinels/),
  ])
  expect(faultsOf({ PARLEY_REDIS_MODE: 'cluster' })).toEqual(['REDIS_URL must be set: PARLEY_REDIS_MODE is cluster'])
  const file = `${directory}/missing.pem`
  expect(faultsOf({ REDIS_URL: one, PARLEY_REDIS_CA_FILE: file })).toEqual([
    expect.stringMatching(/^PARLEY_REDIS_CA_FILE is for TLS alone/),
    `PARLEY_REDIS_CA_FILE: ${file} cannot be read: ENOENT`,
  ])
  expect(faultsOf({ REDIS_URL: 'rediss://a:1', PARLEY_REDIS_CA_FILE: import.meta.filename })).toEqual([
    `PARLEY_REDIS_CA_FILE: ${import.meta.filename} is no certificate in PEM`,
  ])
})

test('D7 the ACL of docs/operations.md is enough for the bus, the leases and the counters, and a node that lacks any part of it says so at start', async () => {
  const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [, documented = ''] = /^ACL SETUSER parley on >a-long-password (.*)$/m.exec(text) ?? []
  expect(documented).toBe(aclRules.single)
  expect(text).toContain(aclRules.cluster)
  const port = await start()
  const admin = new Redis(port)
  closeAtEnd(async () => admin.disconnect())
  const userWith = async (name: string, rules: string) => {
    await admin.call('ACL', 'SETUSER', name, 'on', '>pw', ...rules.split(' '))
    return `redis://${name}:pw@127.0.0.1:${port}/1`
  }
  const url = await userWith('parley', documented)
  await checkRedis(redisAt(url))

  const [prefix, outage] = ['parley:test', new Outage(silent, redisWords)]
  const [bus, leases] = [busOn(redisAt(url)), openRedisLeases(redisAt(url), () => prefix, systemClock, outage)]
  closeAtEnd(async () => {
    await leases.close()
    await bus.close()
  })
  const heard: unknown[] = []
  await bus.subscribe(`${prefix}:7`, changeForm, (state) => heard.push(state))
  const unsubscribe = await bus.subscribe('parley:test:facts', anything, ({ value }) => heard.push(value))
  await until('the bus to carry', () => {
    bus.publish('parley:test:facts', 'a fact')
    return heard.length > 0
  })
  await unsubscribe()
  const [userId, deviceId] = [userIdOf(7), sessionIdOf(70)]
  const lease = { userId, deviceId, state: 'ONLINE', activeAgoMs: 0, lastsMs: 10_000, mayBegin: true } as const
  await until('the leases to be kept', () =>
    leases.renew([lease]).then(
      () => true,
      () => false,
    ),
  )
  expect(await leases.read([userId])).toMatchObject(new Map([[userId, [{ deviceId, state: 'ONLINE' }]]]))
  // Two nodes count together: in Redis, not each in its own memory.
  const [here, there] = [
    openRedisCounters(redisAt(url), () => `${prefix}:counters`, outage),
    openRedisCounters(redisAt(url), () => `${prefix}:counters`, outage),
  ]
  closeAtEnd(async () => {
    await here.close()
    await there.close()
  })
  const limit = { name: 'tries', most: 1, periodS: 60 }
  await until(
    'the counters to be connected',
    async () =>
      (await admin.keys('*')).some((key) => key.startsWith(`${prefix}:counters`)) || (await here.count(limit, 'somebody')) > 1,
  )
  expect(await there.count(limit, 'somebody')).toBeGreaterThan(0)
  await there.forget(limit, 'somebody')
  expect(await here.count(limit, 'somebody')).toBe(0)
  await leases.lapse()
  await leases.end(userId, deviceId)
  await until('both states to be told', () => JSON.stringify(heard).includes('OFFLINE'))

  const board = `${prefix}:nodes`
  await bus.board.post(board, 'one', 'text')
  expect(await bus.board.read(board)).toMatchObject([{ node: 'one', text: 'text' }])
  bus.shelf.put([{ key: `${prefix}:shelf`, text: 'text' }])
  await until('the shelf', async () => (await bus.shelf.take([`${prefix}:shelf`]))[0] === 'text')

  for (const [i, right] of documented.split(' ').entries()) {
    if (right === '-@all') continue
    const lacking = await userWith(`lacking${i}`, documented.replace(`${right} `, '').replace(new RegExp(` \\${right}$`), ''))
    expect([right, await refusal(lacking)]).toEqual([
      right,
      expect.stringContaining(`ACL does not grant the user in REDIS_URL what Parley needs: ${aclRules.single}`),
    ])
  }
})

test('D7 in a Redis Cluster a node that lacks any right says so at start', { timeout: 60_000 }, async () => {
  const cluster = await clusterOfFile()
  const refusalOf = async (name: string, rules: string) => {
    for (const { admin } of cluster.servers) await admin.call('ACL', 'SETUSER', name, 'on', '>pw', ...rules.split(' '))
    return refusal(cluster.url.replaceAll('redis://', `redis://${name}:pw@`), { PARLEY_REDIS_MODE: 'cluster' })
  }
  expect(await refusalOf('parley', aclRules.cluster)).toBe('none')
  for (const [i, right] of aclRules.cluster.split(' ').entries()) {
    if (right === '-@all') continue
    const rules = aclRules.cluster.split(' ').filter((each) => each !== right)
    expect([right, await refusalOf(`lacking${i}`, rules.join(' '))]).toEqual([right, expect.stringContaining(aclRules.cluster)])
  }
})

test('a server that goes away and comes back makes one line each, however many parts notice', async () => {
  const lines: { msg: string; cause?: string; level: number }[] = []
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const outage = new Outage(log, redisWords)
  closeAtEnd(async () => outage.close())
  for (let round = 0; round < 20; round += 1) {
    for (const part of ['subscriber', 'publisher', 'leases'])
      outage.lost(part, Object.assign(new Error('no'), { code: 'ECONNREFUSED' }))
  }
  for (const part of ['subscriber', 'publisher']) outage.regained(part)
  outage.regained('leases')
  outage.lost('leases', new Error('again')) // not stable yet
  outage.regained('leases')
  await until('both lines', () => lines.length === 2)
  expect(lines).toMatchObject([
    { level: 40, cause: 'ECONNREFUSED', msg: redisWords.away },
    { level: 30, msg: redisWords.back },
  ])
})
