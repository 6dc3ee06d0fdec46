// The layout: files have roles, imports go down only, and no files import each other in a circle. CONTRIBUTING.md describes the
// folders and the roles.

import { access, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const src = fileURLToPath(new URL('../src', import.meta.url))
const clientSrc = path.join(src, '../client/src')
const webSrc = path.join(src, '../web/src')

/**
 * From the ground up: the role of a file, by its path. The first match counts. A file imports files of its own rank and below.
 */
const ranks: readonly (readonly [role: string, paths: RegExp])[] = [
  ['ground', /^(errors|id|clock|viewer|bounded|keys|response-text|webhook-signature)\.ts$|^(log|config)\//],
  ['store and bus', /^(store|bus)\//],
  ['journal', /^journal\//],
  ['facts of a feature', /^[a-z]+\/(events|row)\.ts$/],
  [
    'state of a node',
    /^presence\/(device-service|device-record|device-activity|presence-service|typing-service|signal-service|local-typing|latest|visible-presence|tables)\.ts$|^gateway\/node-registry\.ts$|^message\/(read-markers|delivery-markers|markers)\.ts$|^sync\/acknowledgements\.ts$|^message\/send-order\.ts$|^encryption\/challenges\.ts$|^attachment\/(disk-store|file-store|files|s3-store|upload-locks|urls)\.ts$/,
  ],
  ['parts of a node', /^parts\.ts$/],
  ['GraphQL machinery', /^graphql\//],
  [
    'parts of a feature',
    /^(account|attachment|contact|conversation|encryption|message|moderation|platform|presence|search|push|sync|gateway)\/(?!.*(access|actions|mutations|schema)\.ts$|erasure\.ts$)|^account\/erasure\.ts$/,
  ],
  ['what may be read', /^[a-z]+\/([a-z-]+-)?access\.ts$/],
  ['what users do', /^[a-z]+\/(([a-z-]+-)?actions|erasure)\.ts$/],
  ['all features', /^features\.ts$/],
  ['schema of a feature', /^[a-z]+\/([a-z-]+-)?(schema|mutations)\.ts$/],
  ['schema', /^schema\.ts$/],
  ['composition root', /^app\.ts$/],
  ['laptop', /^local\//],
  ['server', /^server\//],
  ['process', /^main\.ts$|^commands\//],
  ['client library', /^client\//],
  ['web client', /^web\//],
]
const rankOf = (file: string) => ranks.findIndex(([, paths]) => paths.test(file))
const placeOf = (file: string) => file.split('/')[0]?.replace(/\.ts$/, '') ?? ''

/** Packages that only some places may use. */
const reserved: readonly (readonly [pattern: RegExp, allowed: RegExp])[] = [
  [
    /^(graphql|graphql-jit|graphql-yoga|@pothos\/.*|@envelop\/.*|dataloader)$/,
    /^(graphql\/|server\/|client\/testing\/|schema\.ts|[a-z]+\/([a-z-]+-)?(schema|access|mutations)\.ts)/,
  ],
  [/^graphql-ws$|^ws$/, /^server\//],
  [/^graphql-ws\/client$/, /^client\//],
  [/^(@urql\/core|wonka)$/, /^client\/urql\.ts$/],
  [/^@apollo\/client(\/.*)?$/, /^client\/apollo(-write)?\.ts$/],
  [/^ts-mls(\/.*)?$/, /^client\/e2ee\//],
  [/^ioredis$|^graphql-redis-subscriptions$/, /^bus\//],
  [/^web-push$/, /^local\/secrets\.ts$|^push\/providers\/web-push\.ts$/],
  [/^graphile-worker$/, /^store\/(workers|migrate)\.ts$/],
  [/^(sharp|thumbhash|music-metadata)$/, /^attachment\/media-process\.ts$/],
  [/^file-type$/, /^attachment\/content\.ts$/],
  [/^@(aws-sdk|smithy)\//, /^attachment\/s3-store\.ts$/],
  [/^@tus\/server$/, /^server\/uploads\.ts$/],
  [/^@node-rs\/argon2$/, /^account\/password\.ts$/],
  [/^jose$/, /^account\/tokens\.ts$|^push\/providers\/(apns|fcm)\.ts$/],
  [/^emoji-regex$/, /^message\/emoji\.ts$/],
  [/^@opentelemetry\/api$/, /^server\/traces\.ts$/],
  [/^pg$|^@prisma\/.*$/, /^(store|local)\/|^journal\/append\.ts$/],
]

/** The files that read the machine's time or use its timers, and why. What the product promises in time goes by `clock.ts`. */
const machineTime: { readonly [reason: string]: readonly string[] } = {
  'it is the clock': ['clock.ts'],
  'the process: start, signals, exit': ['main.ts', 'local/postgres.ts'],
  'commands run at the time of the operator': [
    'account/invitations.ts',
    'commands/backend-client.ts',
    'commands/command.ts',
    'commands/import.ts',
    'local/secrets.ts',
    'store/examine.ts',
  ],
  'metrics and traces measure this process': ['server/metrics.ts', 'server/steps.ts', 'server/traces.ts'],
  'a client decides by the clock of its own machine': [
    ...[
      'browser',
      'acknowledger',
      'client',
      'connection',
      'e2ee/keeper',
      'e2ee/key-packages',
      'follow',
      'http',
      'lease',
      'nodes',
      'outbox',
      'pause',
      'react',
      'session',
      'socket',
      'stale',
      'store/store',
      'tabs',
      'testing/accounts',
      'testing/conversation-mutations',
      'testing/event-stream',
      'testing/signals',
      'testing/test-journal',
      'testing/test-network',
      'testing/transport-ws',
      'upload',
      'uuid',
    ].map((name) => `client/${name}.ts`),
    ...[
      'attachments.tsx',
      'encryption.ts',
      'moderation-user.tsx',
      'names.ts',
      'pins.tsx',
      'posting-rules.tsx',
      'search.tsx',
      'session.ts',
      'time.ts',
    ].map((name) => `web/${name}`),
  ],
  'limits on I/O, and back-offs after failures': [
    'account/guard.ts',
    'attachment/avatar-actions.ts',
    'attachment/media.ts',
    'attachment/upload-locks.ts',
    'attachment/s3-store.ts',
    'attachment/work-directories.ts',
    'bus/check-redis.ts',
    'bus/heartbeat.ts',
    'bus/redis.ts',
    'journal/append.ts',
    'journal/arrivals.ts',
    'journal/follower.ts',
    'journal/standby.ts',
    'journal/writing.ts',
    'platform/webhook-sender.ts',
    'push/actions.ts',
    'push/providers/addresses.ts',
    'server/stalls.ts',
    'server/transfers.ts',
    'store/store.ts',
    'server/wire.ts',
    'server/writable.ts',
  ],
  'the last seconds of a connection or a node': [
    'server/connections.ts',
    'server/file-refusal.ts',
    'server/server.ts',
    'server/socket.ts',
  ],
  'ticks, beats and gathering: how soon, not whether': [
    'graphql/payload-cache.ts',
    'journal/coalescer.ts',
    'journal/journal.ts',
    'journal/stream.ts',
    'platform/change-stream.ts',
    'store/background-loop.ts',
  ],
  'log lines are gathered': ['log/outage.ts', 'log/repeats.ts'],
  'fair scheduling, and measuring': [
    'graphql/fair-queue.ts',
    'graphql/fair-scheduler.ts',
    'journal/durable-reader.ts',
    'journal/round-robin.ts',
    'journal/trimmer.ts',
  ],
  'jobs wait in Postgres, by its clock': [
    'push/jobs/deliver.ts',
    'push/jobs/deliveries.ts',
    'push/jobs/notify.ts',
    'push/jobs/reader.ts',
    'store/workers.ts',
  ],
  'servers elsewhere check or give these times': [
    'push/providers/apns.ts',
    'push/providers/fcm.ts',
    'push/providers/post.ts',
    'push/providers/web-push.ts',
    'webhook-signature.ts',
  ],
}

async function imports(): Promise<{ file: string; target: string; isOurs: boolean }[]> {
  const found = await Promise.all(
    (await sources()).map(async (file) => {
      const text = await read(file)
      const form = /^(?:import|export)\b[^'"()=]*?\bfrom ['"]([^'"]+)['"]|^import ['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm
      const targets = [...text.matchAll(form)].map((m) => m[1] ?? m[2] ?? m[3] ?? '')
      return targets.map((target) =>
        target.startsWith('.')
          ? { file, target: path.join(path.dirname(file), target).replace('../client/src/', 'client/'), isOurs: true }
          : { file, target, isOurs: false },
      )
    }),
  )
  return found.flat()
}

/** The files of `src/`, and as `client/…` and `web/…` those of the client library and of the web client. */
async function sources(): Promise<string[]> {
  const [ours = [], library = [], web = []] = await Promise.all(
    [src, clientSrc, webSrc].map((place) => readdir(place, { recursive: true })),
  )
  const files = [...ours, ...library.map((file) => `client/${file}`), ...web.map((file) => `web/${file}`)]
  return files.filter((file) => /\.tsx?$/.test(file) && !file.includes('generated'))
}

/** The text of one of `sources`. */
const read = (file: string) => readFile(path.join(folderOf(file), file.replace(/^(client|web)\//, '')), 'utf8')
const folderOf = (file: string) => (file.startsWith('client/') ? clientSrc : file.startsWith('web/') ? webSrc : src)

test('every file has a role', async () => {
  expect((await sources()).filter((file) => rankOf(file) < 0)).toEqual([])
})

test('a file imports files of its own rank and below', async () => {
  const wrong = (await imports())
    .filter(({ file, target, isOurs }) => isOurs && rankOf(target) > rankOf(file))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the machinery imports no feature', async () => {
  const features = /^(account|attachment|contact|conversation|encryption|message|moderation|presence|search|push|sync|gateway)$/
  const wrong = (await imports())
    .filter(({ file, target, isOurs }) => /^(store|bus|journal|graphql)\//.test(file) && isOurs && features.test(placeOf(target)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('folders import each other in one direction only', async () => {
  const targets = new Map<string, Set<string>>()
  for (const { file, target, isOurs } of await imports()) {
    if (!isOurs || placeOf(target) === placeOf(file)) continue
    targets.set(placeOf(file), (targets.get(placeOf(file)) ?? new Set()).add(placeOf(target)))
  }
  // Removes the folders that import none of the remaining ones, until nothing changes. A cycle stays.
  const left = new Set(targets.keys())
  const isGround = (place: string) => [...(targets.get(place) ?? [])].every((target) => !left.has(target))
  for (let ground = [...left].filter(isGround); ground.length > 0; ground = [...left].filter(isGround)) {
    for (const place of ground) left.delete(place)
  }
  expect([...left]).toEqual([])
})

test('a name is the name of one type only', async () => {
  const files = new Map<string, string[]>()
  // Each component of the web client calls what it takes `Props`.
  for (const file of (await sources()).filter((each) => placeOf(each) !== 'web')) {
    const text = await read(file)
    for (const [, name = ''] of text.matchAll(/^(?:export )?(?:type|interface|class) (\w+)/gm)) {
      files.set(name, [...(files.get(name) ?? []), file])
    }
  }
  expect([...files].filter(([, declaring]) => declaring.length > 1)).toEqual([])
})

test('no files import each other in a circle', async () => {
  const targets = new Map<string, string[]>()
  for (const { file, target, isOurs } of await imports()) if (isOurs) targets.set(file, [...(targets.get(file) ?? []), target])
  const finished = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, way: readonly string[]) => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' -> '))
    if (finished.has(file) || way.includes(file)) return
    for (const target of targets.get(file) ?? []) visit(target, [...way, file])
    finished.add(file)
  }
  for (const file of targets.keys()) visit(file, [])
  expect(circles).toEqual([])
})

test('the folders are those that CONTRIBUTING.md lists', async () => {
  const text = await readFile(path.join(src, '../CONTRIBUTING.md'), 'utf8')
  const listed = [...text.matchAll(/^\| `src\/([a-z]+)\/` \|/gm)].map(([, name]) => name)
  const entries = await readdir(src, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  expect(folders.sort()).toEqual(listed.sort())
  expect(folders.length).toBeLessThanOrEqual(22)
})

test('CONTRIBUTING.md or docs/operations.md names every script of package.json', async () => {
  const read = (file: string) => readFile(path.join(src, '..', file), 'utf8')
  const [text, scripts] = [(await read('CONTRIBUTING.md')) + (await read('docs/operations.md')), await read('package.json')]
  const { scripts: named } = JSON.parse(scripts) as { scripts: Record<string, string> }
  const hidden = /^(pre|generate:|build:server)/
  const missing = Object.keys(named).filter((name) => !hidden.test(name) && !new RegExp(`npm (run )?${name}\\b`).test(text))
  expect(missing).toEqual([])
})

test('libraries are used in their own places only', async () => {
  const wrong = (await imports())
    .filter(({ isOurs }) => !isOurs)
    .filter(({ file, target }) => reserved.some(([pattern, allowed]) => pattern.test(target) && !allowed.test(file)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the client library imports nothing of the server, of Node, or of any package but graphql-ws; its adapters import one more', async () => {
  const allowed = (file: string) => [
    'graphql-ws/client',
    ...(file === 'client/urql.ts' ? ['@urql/core', 'wonka'] : []),
    ...(file === 'client/react.ts' ? ['react'] : []),
    ...(/^client\/e2ee\//.test(file)
      ? ['ts-mls', ...['groupInfo', 'keyPackage', 'privateMessage'].map((name) => `ts-mls/${name}.js`)]
      : []),
    ...(file.startsWith('client/testing/') ? ['graphql'] : []),
    ...(/^client\/apollo(-write)?\.ts$/.test(file) ? ['@apollo/client', '@apollo/client/utilities'] : []),
  ]
  const wrong = (await imports())
    .filter(({ file }) => placeOf(file) === 'client')
    .filter(({ file, target, isOurs }) => (isOurs ? placeOf(target) !== 'client' : !allowed(file).includes(target)))
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the web client imports the client library, React, and nothing of the server', async () => {
  const wrong = (await imports())
    .filter(({ file }) => placeOf(file) === 'web')
    .filter(({ target, isOurs }) =>
      isOurs ? placeOf(target) !== 'web' : !/^(parley-client(\/(documents|e2ee|react))?|react|react-dom\/client)$/.test(target),
    )
    .map(({ file, target }) => `${file} -> ${target}`)
  expect(wrong).toEqual([])
})

test('the environment is read in one file, and only an uncaught error exits the process from within', async () => {
  const texts = await Promise.all((await sources()).map(async (file) => ({ file, text: await read(file) })))
  expect(texts.filter(({ text }) => /process\.env/.test(text)).map(({ file }) => file)).toEqual(['config/read-config.ts'])
  expect(texts.filter(({ text }) => /process\.exit\(/.test(text)).map(({ file }) => file)).toEqual(['log/standard-error.ts'])
})

test('only the files listed here read the time of the machine; what the product promises in time goes by the clock', async () => {
  const reads = /\bDate\.now\b|\bnew Date\(\)|\bset(Timeout|Interval)\(|\bperformance\.now\b|\bhrtime\b|node:timers/
  const texts = await Promise.all((await sources()).map(async (file) => ({ file, text: await read(file) })))
  const reading = texts.filter(({ text }) => reads.test(text)).map(({ file }) => file)
  expect(reading.sort()).toEqual(Object.values(machineTime).flat().sort())
})

test('every file that a document names exists', async () => {
  const root = path.join(src, '..')
  const docs = (await readdir(path.join(root, 'docs'))).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`)
  const missing: string[] = []
  for (const doc of ['README.md', 'CONTRIBUTING.md', 'client/README.md', ...docs]) {
    const text = await readFile(path.join(root, doc), 'utf8')
    const named = [...text.matchAll(/(?<![\w./-])(?:src|client|test|prisma|scripts|deploy|bench)\/[\w./-]*\.\w+/g)].map(
      ([name]) => name,
    )
    const linked = [...text.matchAll(/\]\((?!\w+:)([^)#]+)/g)].map(([, link = '']) => path.join(path.dirname(doc), link))
    for (const name of [...named, ...linked]) {
      const isThere = await access(path.join(root, name)).then(
        () => true,
        () => false,
      )
      if (!isThere) missing.push(`${doc}: ${name}`)
    }
  }
  expect(missing).toEqual([])
})
