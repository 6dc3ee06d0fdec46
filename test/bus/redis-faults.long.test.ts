// A Redis that Parley cannot use is refused at start with one sentence. One that goes away and comes back makes one log line
// each.

import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { beforeAll, expect, inject, test } from 'vitest'
import { openRedisCounters } from '../../src/bus/counters.ts'
import { changeForm } from '../../src/bus/leases.ts'
import { aclRules, checkRedis, redisWords } from '../../src/bus/redis-faults.ts'
import { openRedisLeases } from '../../src/bus/redis-leases.ts'
import { systemClock } from '../../src/clock.ts'
import { sessionIdOf, userIdOf } from '../../src/id.ts'
import { findFreePort } from '../../src/local/postgres.ts'
import { Outage } from '../../src/log/outage.ts'
import { anything, redisBus, silent } from '../support/bus.ts'
import { closeAtEnd } from '../support/node.ts'
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
const refusal = (url: string) =>
  checkRedis(url).then(
    () => 'none',
    (error: Error) => `${error.name}: ${error.message}`,
  )

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
    [at(cluster), /^StartError: REDIS_URL: .* Redis Cluster/],
    [at(sentinel), /^StartError: REDIS_URL: .* Sentinel/],
    [at(replica), /^StartError: REDIS_URL: .* read-only replica/],
    [at(tls), /^StartError: REDIS_URL: .* use rediss:/],
    [`rediss://127.0.0.1:${plain}`, /^StartError: REDIS_URL: .* use redis:/],
    [tlsUrl, /^StartError: REDIS_URL: .* certificate is not trusted: set NODE_EXTRA_CA_CERTS/],
  ]
  for (const [url, sentence] of cases)
    expect(`${url}: ${await refusal(url)}`).toMatch(new RegExp(sentence.source.replace('^', ': ')))
  expect(await refusal(inject('redisUrl'))).toBe('none')
})

test('trusts a certificate authority of your own through NODE_EXTRA_CA_CERTS', async () => {
  const script = `import { checkRedis } from './src/bus/redis-faults.ts'; await checkRedis('${tlsUrl}'); console.log('usable')`
  const options = { cwd: root, env: { NODE_EXTRA_CA_CERTS: `${directory}/cert.pem` } }
  const told = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], options)
  expect(told.stdout).toBe('usable\n')
})

test('D7 the ACL of docs/operations.md is enough for the bus, the leases and the counters, and a node that lacks any part of it says so at start', async () => {
  const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [, documented = ''] = /^ACL SETUSER parley on >a-long-password (.*)$/m.exec(text) ?? []
  expect(documented).toBe(aclRules)
  const port = await start()
  const admin = new Redis(port)
  closeAtEnd(async () => admin.disconnect())
  const userWith = async (name: string, rules: string) => {
    await admin.call('ACL', 'SETUSER', name, 'on', '>pw', ...rules.split(' '))
    return `redis://${name}:pw@127.0.0.1:${port}/1`
  }
  const url = await userWith('parley', documented)
  await checkRedis(url)

  const [prefix, outage] = ['parley:test', new Outage(silent, redisWords)]
  const [bus, leases] = [redisBus(url), openRedisLeases(url, () => prefix, systemClock, outage)]
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
    openRedisCounters(url, () => `${prefix}:counters`, outage),
    openRedisCounters(url, () => `${prefix}:counters`, outage),
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

  for (const [i, right] of documented.split(' ').entries()) {
    if (right === '-@all') continue
    const lacking = await userWith(`lacking${i}`, documented.replace(`${right} `, '').replace(new RegExp(` \\${right}$`), ''))
    expect([right, await refusal(lacking)]).toEqual([
      right,
      expect.stringContaining(`ACL does not grant this user what Parley needs: ${aclRules}`),
    ])
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
