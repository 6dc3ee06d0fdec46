// Files: uploads and downloads beside plain nginx, the memory of a node that receives a hundred at once, and whether making pictures
// slows down messages.

import { spawn } from 'node:child_process'
import { access, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { findFreePort } from '../../src/local/postgres.ts'
import type { FilesApi } from '../clients/files.ts'
import { type Child, startChild } from '../kit/child.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { createGroup, createPeople, type Node, type Person, startNode } from '../kit/node.ts'
import { Operations } from '../kit/operations.ts'
import { inRounds, median, number, quantile, times } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'

type Shape = {
  readonly [name in 'files' | 'byteSize' | 'atOnce' | 'clients' | 'clientBytes' | 'photos' | 'sends' | 'rounds']: number
}
const full: Shape = {
  files: 40,
  byteSize: 10_485_760,
  atOnce: 8,
  clients: 100,
  clientBytes: 26_214_400,
  photos: 20,
  sends: 400,
  rounds: 5,
}
const small: Shape = { files: 3, byteSize: 100_000, atOnce: 3, clients: 5, clientBytes: 100_000, photos: 2, sends: 20, rounds: 1 }
/** A photo of twelve million pixels, like a phone's. */
const photoSize = { width: 4_000, height: 3_000 }
/** More than one core makes pictures of, so that there is always one waiting. */
const photoEveryMs = 500
const lookMs = 100
const sendGapMs = 20

const createUpload = `mutation Begin($input: CreateUploadInput!) { createUpload(input: $input) { attachment { id } upload { url } } }`
const findUrl = `query Find($id: ID!) { node(id: $id) { ... on Attachment { state url } } }`
const sendMessage = `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { createdAt } } }`

type Begun = { readonly id: string; readonly url: string }

async function begin(node: Node, socket: Operations, byteSize: number, count: number): Promise<Begun[]> {
  const begun: Begun[] = []
  for (let i = 0; i < count; i += 1) {
    const input = { fileName: `${i}.bin`, contentType: 'application/octet-stream', byteSize, purpose: 'MESSAGE' }
    const frame = await socket.ask(createUpload, { input })
    const [, id = '', url = ''] = /"id":"(att_\w+)".*"url":"([^"]+)"/.exec(frame) ?? []
    begun.push({ id, url: new URL(url, node.url).href })
  }
  return begun
}

async function urlOf(node: Node, socket: Operations, { id }: Begun): Promise<string> {
  for (;;) {
    const frame = await socket.ask(findUrl, { id })
    if (/"state":"FAILED"/.test(frame)) throw new Error('a file failed')
    const [, url] = /"state":"READY","url":"([^"]+)"/.exec(frame) ?? []
    if (url) return new URL(url, node.url).href
    await delay(20)
  }
}

type Nginx = { readonly origin: string; stop(): Promise<void> }

/** nginx with a directory that takes PUT; null if it is not installed. */
async function startNginx(): Promise<Nginx | null> {
  const binary = '/usr/sbin/nginx'
  const isInstalled = await access(binary).then(
    () => true,
    () => false,
  )
  if (!isInstalled) return null
  const [directory, port] = [await mkdtemp(path.join(tmpdir(), 'parley-bench-nginx-')), await findFreePort()]
  await writeFile(
    path.join(directory, 'nginx.conf'),
    `daemon off; user root; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
     events { worker_connections 1024; }
     http { access_log off; sendfile on; client_max_body_size 100m; client_body_temp_path ${directory}/body;
       server { listen 127.0.0.1:${port}; root ${directory}; location / { dav_methods PUT; create_full_put_path on; } } }`,
  )
  const child = spawn(binary, ['-c', path.join(directory, 'nginx.conf'), '-p', directory], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const origin = `http://127.0.0.1:${port}`
  for (const deadline = Date.now() + 5_000; ; await delay(50)) {
    const isUp = await fetch(origin).then(
      () => true,
      () => false,
    )
    if (isUp) break
    if (Date.now() > deadline) throw new Error('nginx does not start')
  }
  return {
    origin,
    async stop() {
      child.kill('SIGTERM')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The memory of a node in MB: at rest, and at most while so many clients upload at once. */
async function measureMemory(node: Node, client: Child<FilesApi>, people: readonly Person[], byteSize: number) {
  const before = (await node.call('memory')).rss
  const urls: string[] = []
  for (const { tokens } of people) {
    const socket = await Operations.open(node.socketUrl, tokens[0] ?? '')
    urls.push(...(await begin(node, socket, byteSize, 1)).map(({ url }) => url))
    socket.cut()
  }
  let most = 0
  let isOver = false
  const uploading = client.call('upload', urls, byteSize, urls.length).finally(() => {
    isOver = true
  })
  while (!isOver) {
    most = Math.max(most, (await node.call('rss')) as number)
    await delay(lookMs)
  }
  await uploading
  return { before: before / 1_048_576, most: most / 1_048_576 }
}

/** Sends one after another, with pauses: milliseconds to each answer. */
async function measureSends(node: Node, token: string, conversationId: string, count: number): Promise<number[]> {
  const socket = await Operations.open(node.socketUrl, token)
  const latencies: number[] = []
  for (let i = 0; i < count; i += 1) {
    const begun = performance.now()
    await socket.ask(sendMessage, { input: { conversationId, clientMessageId: uuidv7(), text: 'a message of the bench' } })
    latencies.push(performance.now() - begun)
    await delay(sendGapMs)
  }
  socket.cut()
  return latencies
}

/** Uploads a file every half second. Returns how many a second were ready, from the first upload to the last file. */
async function uploadBeside({ node, client }: Stage, person: Person, file: string, count: number): Promise<number> {
  const socket = await Operations.open(node.socketUrl, person.tokens[0] ?? '')
  const begun = await begin(node, socket, (await stat(file)).size, count)
  const from = performance.now()
  const urls = begun.map(({ url }) => url)
  await client.call('uploadEvery', urls, file, photoEveryMs)
  for (const each of begun) await urlOf(node, socket, each)
  socket.cut()
  return count / ((performance.now() - from) / 1_000)
}

/** What happens while messages are sent. */
type Beside = 'alone' | 'uploads' | 'photos'

type Stage = {
  readonly setting: Setting
  readonly shape: Shape
  readonly node: Node
  readonly client: Child<FilesApi>
  readonly nginx: Nginx | null
  /** Those who upload. */
  readonly people: readonly Person[]
}
type Rates = { readonly uploaded: number; readonly downloaded: number }

/** MiB a second up and down, in turns with nginx if it is there; each round uploads as a person of its own (of 100 uploads at most). */
function measureRates({ setting, shape, node, client, nginx, people }: Stage) {
  const rateOf = (ms: number) => (shape.files * shape.byteSize) / 1_048_576 / (ms / 1_000)
  const names: ('parley' | 'nginx')[] = nginx ? ['parley', 'nginx'] : ['parley']
  let round = 0
  return inRounds(shape.rounds, names, async (name): Promise<Rates> => {
    round += 1
    const socket = await Operations.open(node.socketUrl, people[round]?.tokens[0] ?? '')
    const begun = name === 'parley' ? await begin(node, socket, shape.byteSize, shape.files) : []
    const up = name === 'parley' ? begun.map(({ url }) => url) : begunAt(nginx?.origin ?? '', round, shape.files)
    const uploaded = rateOf(await client.call('upload', up, shape.byteSize, shape.atOnce))
    const down = name === 'parley' ? await Promise.all(begun.map((each) => urlOf(node, socket, each))) : up
    const downloaded = rateOf(await client.call('download', down, shape.byteSize, shape.atOnce))
    socket.cut()
    setting.say(`  ${name}: ${number(uploaded)} MiB/s up, ${number(downloaded)} MiB/s down`)
    return { uploaded, downloaded }
  })
}

/** Sends alone, beside uploads, and beside uploads of as many bytes that are photos; and how many photos a second. */
async function measureBesidePictures(stage: Stage, directory: string, token: string, group: string) {
  const { setting, shape, node, people } = stage
  const noise = { ...photoSize, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 20 }, background: '#888' } as const
  const photo = await sharp({ create: noise }).jpeg({ quality: 85 }).toBuffer()
  const files = { photos: path.join(directory, 'photo'), uploads: path.join(directory, 'no-photo') }
  await writeFile(files.photos, photo)
  await writeFile(files.uploads, Buffer.alloc(photo.length, 'no photo'))
  const perSecond: number[] = []
  const uploaders = people.slice(-2 * shape.rounds)
  const sends = await inRounds<Beside, number[]>(shape.rounds, ['alone', 'uploads', 'photos'], async (name) => {
    const uploader = name === 'alone' ? undefined : uploaders.pop()
    const making = name === 'alone' || !uploader ? Promise.resolve(0) : uploadBeside(stage, uploader, files[name], shape.photos)
    const latencies = await measureSends(node, token, group, shape.sends)
    const made = await making
    if (name === 'photos') perSecond.push(made)
    setting.say(`  sends beside ${name}: p99 ${number(quantile(latencies, 0.99), 1)} ms`)
    return latencies
  })
  const p99 = (name: Beside) => sends[name].map((one) => quantile(one, 0.99))
  const [alone, uploads, photos] = [p99('alone'), p99('uploads'), p99('photos')]
  return {
    ...{ perSecond: median(perSecond), alone, uploads, photos },
    slower: photos.map((one, i) => one / (uploads[i] ?? one)),
  }
}

type Measured = {
  readonly rates: Awaited<ReturnType<typeof measureRates>>
  readonly memory: Awaited<ReturnType<typeof measureMemory>>
  readonly pictures: Awaited<ReturnType<typeof measureBesidePictures>>
}

function resultOf({ shape, nginx }: Stage, { rates, memory, pictures }: Measured): Result {
  const against = (what: keyof Rates) =>
    nginx ? rates.parley.map((one, i) => one[what] / (rates.nginx[i]?.[what] ?? one[what])) : []
  const row = (what: keyof Rates) =>
    nginx
      ? [
          number(median(rates.parley.map((one) => one[what]))),
          number(median(rates.nginx.map((one) => one[what]))),
          times(median(against(what))),
        ]
      : [number(median(rates.parley.map((one) => one[what]))), '–', '–']
  const spread = Math.max(...pictures.uploads) / Math.min(...pictures.uploads)
  const more = memory.most - memory.before
  const uploads = `${shape.clients} uploads of ${number(shape.clientBytes / 1_048_576)} MiB at once`
  return {
    columns: ['What', 'Parley', 'nginx', 'Ratio'],
    rows: [
      ['uploads, MiB/s', ...row('uploaded')],
      ['downloads, MiB/s', ...row('downloaded')],
      ['memory at rest, MiB', number(memory.before), '', ''],
      [`memory with ${uploads}, at most, MiB`, number(memory.most), '', ''],
      ['photos of 12 million pixels a second', number(pictures.perSecond, 1), '', ''],
      ['p99 of a send alone, ms', number(median(pictures.alone), 1), '', ''],
      ['p99 of a send beside uploads, ms', number(median(pictures.uploads), 1), '', ''],
      ['p99 of a send beside uploads of photos, ms', number(median(pictures.photos), 1), '', ''],
    ],
    goals: [
      {
        goal: 'making pictures adds nothing to the p99 of a send beyond the difference between rounds with uploads alone',
        measured: `${times(median(pictures.slower))}; rounds of uploads alone: ${times(spread)}`,
        isMet: median(pictures.slower) <= Math.max(1.1, spread),
      },
      { goal: `memory stays flat: with ${uploads} at most 100 MiB more`, measured: `${number(more)} MiB`, isMet: more <= 100 },
    ],
    figures: {
      'uploads against nginx': { better: 'higher', rounds: against('uploaded') },
      'downloads against nginx': { better: 'higher', rounds: against('downloaded') },
    },
    notes: [
      `${shape.files} files of ${number(shape.byteSize / 1_048_576)} MiB, ${shape.atOnce} at once, ${shape.rounds} rounds in turns, over loopback to and from the same disk. Parley has an upload on disk before it answers (fsync); nginx, with one worker, does not. Client, server and Postgres share the cores.`,
      `A photo is stored in full size, in three smaller ones and with a thumbhash. One arrives every ${photoEveryMs} ms, more than are made, so that one always waits; the uploads without pictures have as many bytes as often. Sends come one after another with ${sendGapMs} ms between, from a process of their own.`,
    ],
  }
}

export const files: Line = {
  name: 'files',
  title: 'Files: uploads, downloads, pictures',
  async run(setting): Promise<Result> {
    const shape = setting.isSmall ? small : full
    const databaseUrl = await setting.backends.createDatabase('files')
    const directory = await mkdtemp(path.join(tmpdir(), 'parley-bench-files-'))
    const node = await startNode(databaseUrl, {
      PARLEY_DATA_DIR: directory,
      PARLEY_FILE_BYTES_PER_USER_MAX: '100000000000',
      PARLEY_UPLOADS_PER_H_MAX: '1000000',
    })
    const [alice, bob, ...people] = (await createPeople(databaseUrl, shape.clients + 2)) as [Person, Person, ...Person[]]
    const stage: Stage = {
      setting,
      shape,
      node,
      client: await startChild<FilesApi>('clients/files'),
      nginx: await startNginx(),
      people,
    }
    try {
      const token = alice.tokens[0] ?? ''
      const group = await createGroup(node, 'Files', [alice, bob])
      const rates = await measureRates(stage)
      const memory = await measureMemory(node, stage.client, people, shape.clientBytes)
      setting.say(`  memory: ${number(memory.before)} MiB at rest, at most ${number(memory.most)}`)
      const pictures = await measureBesidePictures(stage, directory, token, group.id)
      return resultOf(stage, { rates, memory, pictures })
    } finally {
      await stage.nginx?.stop()
      await node.stop()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

const begunAt = (origin: string, round: number, count: number) =>
  Array.from({ length: count }, (_, i) => `${origin}/${round}-${i}.bin`)
