// The schema is a promise: it is printed, committed and compared, and every element has a description.

import { readdir, readFile } from 'node:fs/promises'
import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql'
import { expect, test } from 'vitest'
import { hearersMax } from '../../src/account/hearers.ts'
import { bioMax } from '../../src/account/profile-schema.ts'
import { deviceNameMax, displayNameMax } from '../../src/account/username.ts'
import { leasesMax } from '../../src/bus/leases.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { variableNames } from '../../src/config/variables.ts'
import { contactLimits } from '../../src/contact/actions.ts'
import { descriptionMax, titleMax } from '../../src/conversation/group-schema.ts'
import { openInvitesMax } from '../../src/conversation/invite-actions.ts'
import { usesMax } from '../../src/conversation/invite-schema.ts'
import { encryptionLimits, encryptionRates } from '../../src/encryption/row.ts'
import { closeCodes, errorCodes } from '../../src/errors.ts'
import { kindsByName } from '../../src/features.ts'
import { costMax } from '../../src/graphql/cost.ts'
import { documentMax, sizeMax } from '../../src/graphql/measure.ts'
import { keysPerUserMax } from '../../src/graphql/operation-keys.ts'
import { pageSizes } from '../../src/graphql/page.ts'
import { changeLimits } from '../../src/message/change.ts'
import { ciphertextMax } from '../../src/message/mutations.ts'
import { watchedMax } from '../../src/presence/access.ts'
import { schema } from '../../src/schema.ts'

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

test('schema.graphql is the schema of the server: npm run schema', async () => {
  expect(`${printSchema(lexicographicSortSchema(schema))}\n`).toBe(await read('schema.graphql'))
})

test('every type, field, argument and enum value has a description', () => {
  const bare: string[] = []
  const check = (name: string, { description }: { description?: string | null | undefined }) => {
    if (!description) bare.push(name)
  }
  const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type))
  for (const type of types as GraphQLNamedType[]) {
    check(type.name, type)
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value)
    if (isInputObjectType(type)) for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field)
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      check(`${type.name}.${field.name}`, field)
      for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument)
    }
  }
  expect(types.length).toBeGreaterThan(40)
  expect(bare).toEqual([])
})

test('every mutation has one input or none, and a payload of its own', () => {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    expect(field.args.map(({ name }) => name)).toEqual(field.args.length === 0 ? [] : ['input'])
    expect(String(field.type)).toBe(`${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}Payload!`)
  }
})

test('docs/protocol.md has a row for each error code and each close code of Parley', async () => {
  const text = await read('docs/protocol.md')
  for (const code of Object.keys(errorCodes)) expect(text).toMatch(new RegExp(`^\\| \`?${code}\`? \\|`, 'm'))
  for (const code of [...Object.values(closeCodes), 1012]) expect(text).toMatch(new RegExp(`^\\| \`?${code}\`? \\|`, 'm'))
})

/** The kinds of the facts that SQL functions write for the user who caused them. */
async function ownKindsOfFunctions(): Promise<(string | undefined)[]> {
  const names = new Map(Object.values(kindsByName).map(({ number, name }) => [number, name]))
  const files = await readdir(new URL('../../prisma/functions', import.meta.url))
  const code = await Promise.all(files.map((file) => read(`prisma/functions/${file}`)))
  const own = /kind, user_id, actor_id, subject_id\)\s+values \(head, batch_tag, at, (\w+), (\w+)\[i\], \2\[i\],/g
  const numbers = code.flatMap((text) => {
    const several = /if fact_kind in \(([\d, ]+)\)/.exec(text)?.[1]
    return [...text.matchAll(own)].flatMap(([, kind = '']) => (kind === 'fact_kind' ? (several ?? '') : kind).split(','))
  })
  return numbers.map((number) => names.get(Number(number)))
}

test('docs/protocol.md lists every event of the schema, and which facts belong to a user', async () => {
  const text = await read('docs/protocol.md')
  const namesIn = (part: string | undefined) => [...(part ?? '').matchAll(/\b[A-Z]\w+/g)].map(([name]) => name).toSorted()
  const event = schema.getType('Event')
  const events = isInterfaceType(event) ? schema.getPossibleTypes(event).map(({ name }) => name) : []
  const facts = events.filter((name) => !['SyncStarted', 'CaughtUp', 'Tick'].includes(name)).toSorted()
  expect(namesIn(/^fact {5}= ([^`]+)```/m.exec(text)?.[1])).toEqual(facts)
  const sources = (await readdir(new URL('../../src', import.meta.url), { recursive: true })).filter((file) =>
    /events\.ts$/.test(file),
  )
  const code = await Promise.all(sources.map((file) => read(`src/${file}`)))
  const requested = code.flatMap((file) =>
    [...file.matchAll(/kind: \w+Kinds\.(\w+)\.number,\s+user_id/g)].map(([, name]) => name),
  )
  const own = [...requested, ...(await ownKindsOfFunctions())]
  expect(own.length).toBeGreaterThan(8)
  const listed = /the\s+fact\s+is\s+the\s+user's\s+own\s+\(([^)]+)\)/.exec(text)?.[1]
  expect(namesIn(listed)).toEqual([...new Set(own)].toSorted())
})

test('every kind of fact that users hear of is an event', async () => {
  const kinds = Object.values(kindsByName).filter(({ isHeard }) => isHeard)
  const event = schema.getType('Event')
  const events = isInterfaceType(event) ? schema.getPossibleTypes(event).map(({ name }) => name) : []
  expect(kinds.filter(({ name }) => !events.includes(name))).toEqual([])
})

test('docs/protocol.md has a row for each way in which a stream starts', async () => {
  const text = await read('docs/protocol.md')
  for (const [heading, name] of [
    ['SyncStarted.mode', 'SyncMode'],
    ['SyncStarted.reason', 'ResetReason'],
  ]) {
    const type = schema.getType(name as string)
    const values = isEnumType(type) ? type.getValues().map((value) => value.name) : []
    const table = new RegExp(`^\\| \`${heading}\` \\|.*\n.*\n((?:\\|.*\n)+)`, 'm').exec(text)?.[1] ?? ''
    expect([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, value]) => value).toSorted()).toEqual(values.toSorted())
  }
})

test('docs/protocol.md names the limits as the code has them', async () => {
  const text = await read('docs/protocol.md')
  const rows = /^\| What \| Limit \| Set by .*\n.*\n((?:\|.*\n)+)/m.exec(text)?.[1]?.trim().split('\n') ?? []
  const { limits, socket, http, journal, presence, tokens } = readConfig({})
  const figures: readonly (readonly [row: string, ...expected: (number | string)[]])[] = [
    ['text of a message', limits.messageTextMax],
    ['members of a group', limits.groupMembersMax],
    ['open invites', openInvitesMax, usesMax],
    [
      'a ciphertext',
      ...[ciphertextMax, encryptionLimits.commitBytes, encryptionLimits.groupInfoBytes, encryptionLimits.welcomeBytes].map(
        (bytes) => `${bytes / 1_024} KiB`,
      ),
    ],
    ['Welcomes of a commit', encryptionLimits.welcomes],
    [
      'key packages of a device',
      encryptionLimits.keyPackages,
      `${encryptionLimits.keyPackageBytes / 1_024} KiB`,
      `${encryptionLimits.keyPackageLastsS / 86_400} days`,
    ],
    ['devices of a user', encryptionLimits.devices, encryptionLimits.devicesEver],
    ['users in one `claimKeyPackages`', encryptionLimits.claimedUsers, encryptionRates.claims],
    ['commits of a user', encryptionRates.commits, encryptionRates.devices],
    ['pinned messages', changeLimits.pins, changeLimits.emojiOnMessage],
    ['title of a group', titleMax, descriptionMax],
    ['display name', displayNameMax, deviceNameMax],
    ['bio', bioMax],
    ['open contact requests', contactLimits.requests, contactLimits.blocks],
    ['people who hear', hearersMax],
    ['page of a connection', pageSizes.max, pageSizes.fallback],
    ['people in one `presence`', watchedMax],
    ['present devices', leasesMax],
    ['how long a device is present', presence.ttlMs / 1_000],
    ['body of an HTTP request', `${http.bodyBytesMax / 1_024} KiB`],
    ['message on a WebSocket', `${socket.messageBytesMax / 1_024} KiB`],
    ['WebSockets and event streams', socket.perAddress.withSession, socket.perAddress.withoutSession],
    ['different documents', keysPerUserMax],
    ['operations at once', socket.subscriptionsMax],
    ['queries and mutations of one user', limits.operationsPerUserMax],
    ['events ahead', journal.backlogFactsMax, `${journal.backlogBytesMax / 1_048_576} MiB`],
    ['document |', `${documentMax.bytes / 1_024} KiB`, documentMax.tokens, documentMax.operations, documentMax.fragments],
    ['one operation', ...Object.values(sizeMax), documentMax.aliasLength],
    ['cost of an operation', costMax.operation, costMax.event],
    ['access token', `${tokens.accessTtlS / 60} min`],
    ['refresh token', `${tokens.refreshTtlS / 86_400} days`],
    ['what a node remembers', journal.recentFactsMax, `${journal.recentBytesMax / 1_048_576} MiB`],
  ]
  for (const [start, ...expected] of figures) {
    const row = rows.find((line) => line.startsWith(`| ${start}`)) ?? `no row "${start}"`
    const limit = row.split(' | ')[1] ?? row
    for (const figure of expected) {
      const written = typeof figure === 'number' ? figure.toLocaleString('en') : figure
      expect(limit, row).toMatch(new RegExp(`(?<![\\d,])${written}(?![\\d,]*\\d)`))
    }
  }
  const named = rows.flatMap((row) => [...row.matchAll(/`(PARLEY_\w+)`/g)].map(([, name]) => name))
  expect(named.filter((name) => !variableNames.includes(name as string))).toEqual([])
})
