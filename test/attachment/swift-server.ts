// OpenStack Swift with its door for S3: one server each for accounts, containers and objects, one copy of everything, and a proxy.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { findFreePort } from '../../src/local/postgres.ts'
import { until } from '../support/until.ts'
import { bucket, type S3Server } from './s3-server.ts'

const run = promisify(execFile)
const credentials = { accessKeyId: 'parley:tester', secretAccessKey: 'testing' }
const kinds = ['account', 'container', 'object'] as const

/** Starts it with an empty bucket. */
export async function startSwift(): Promise<S3Server> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-swift-'))
  await mkdir(path.join(directory, 'devices', 'd1'), { recursive: true })
  const running: ChildProcess[] = []
  for (const kind of kinds) {
    const port = await findFreePort()
    await writeFile(path.join(directory, `${kind}.conf`), storageConfig(kind, directory, port))
    await makeRing(kind, directory, port)
    running.push(start(kind, directory))
  }
  const port = await findFreePort()
  await writeFile(path.join(directory, 'proxy.conf'), proxyConfig(directory, port))
  const endpoint = `http://127.0.0.1:${port}`
  let proxy: ChildProcess | null = null
  const resume = async () => {
    proxy = start('proxy', directory)
    await until(
      'Swift to answer',
      () =>
        fetch(`${endpoint}/healthcheck`).then(
          ({ ok }) => ok,
          () => false,
        ),
      30_000,
    )
  }
  const pause = () => stop(proxy)
  await resume()
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  return {
    endpoint,
    credentials,
    pause,
    resume,
    async stop() {
      await Promise.all([pause(), ...running.map(stop)])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function start(kind: string, directory: string): ChildProcess {
  return spawn(`swift-${kind}-server`, [path.join(directory, `${kind}.conf`)], { stdio: 'ignore' })
}

async function stop(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

/** The ring says where everything lies: all of it on one device, once. */
async function makeRing(kind: string, directory: string, port: number): Promise<void> {
  const builder = path.join(directory, `${kind}.builder`)
  await run('swift-ring-builder', [builder, 'create', '4', '1', '0'])
  await run('swift-ring-builder', [builder, 'add', `r1z1-127.0.0.1:${port}/d1`, '1'])
  await run('swift-ring-builder', [builder, 'rebalance'])
}

const common = (directory: string, port: number) => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = root
swift_dir = ${directory}
`

const storageConfig = (kind: string, directory: string, port: number) => `${common(directory, port)}devices = ${directory}/devices
mount_check = false
recon_cache_path = ${directory}
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
`

// tempauth asks for a cache; there is none at the address, which it bears.
const proxyConfig = (directory: string, port: number) => `${common(directory, port)}[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_parley_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
`
