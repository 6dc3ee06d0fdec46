// The SQL functions: each is defined once, and a database has those of the newest release that was started on it.

import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { openLog } from '../../src/log/log.ts'
import { functionRelease, readFunctions } from '../../src/store/functions.ts'
import { migrate } from '../../src/store/migrate.ts'
import { nodeConnections, nodeConnectionsMax } from '../../src/store/pool-sizes.ts'
import { signUpAll } from '../support/device.ts'
import { connect, createDatabase, openNode } from '../support/node.ts'

const root = new URL('../../', import.meta.url)
const log = openLog('silent', 'test')

/** The files of a folder and below, with their texts. */
async function filesIn(folder: string, ending: RegExp): Promise<(readonly [path: string, text: string])[]> {
  const names = (await readdir(new URL(folder, root), { recursive: true })).filter((name) => ending.test(name))
  return Promise.all(names.map(async (name) => [`${folder}/${name}`, await readFile(new URL(`${folder}/${name}`, root), 'utf8')]))
}

const headOf = async (client: pg.Client) =>
  (await client.query<{ source: string }>("select prosrc as source from pg_proc where proname = 'journal_head'")).rows[0]?.source

test('each function is defined once, in the file of its name; the one that computes a column, in the migration', async () => {
  const definition = /create (?:or replace )?(?:function|procedure) (\w+)\(/g
  const found = (await filesIn('prisma', /\.sql$/)).flatMap(([path, text]) =>
    [...text.matchAll(definition)].map(([, name]) => [name, path]),
  )
  const inFunctions = found.filter(([, path]) => path?.startsWith('prisma/functions/'))
  expect(inFunctions.length).toBeGreaterThan(15)
  for (const [name, path] of inFunctions) expect(path).toBe(`prisma/functions/${name}.sql`)
  expect(found.filter((one) => !inFunctions.includes(one)).map(([name]) => name)).toEqual(['username_skeleton'])
  expect(new Set(found.map(([name]) => name)).size).toBe(found.length)
  const client = await connect(await createDatabase())
  const { rows } = await client.query<{ name: string }>(
    `select p.proname as name from pg_proc p where p.pronamespace = 'public'::regnamespace
        and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')`,
  )
  expect(rows.map(({ name }) => name).sort()).toEqual(found.map(([name]) => name).sort())
})

test('tags are random, from 1 up to one less than the greatest number that fits', async () => {
  const random = (await filesIn('prisma/functions', /\.sql$/)).filter(([, text]) => /\brandom\(\)/.test(text))
  expect(random.map(([path]) => path)).toEqual(['prisma/functions/journal_tag.sql'])
  const client = await connect(await createDatabase())
  const { rows } = await client.query<{ source: string }>("select prosrc as source from pg_proc where proname = 'journal_tag'")
  const at = async (random: string) => {
    const { rows: made } = await client.query<{ tag: number }>(
      (rows[0]?.source ?? '').replace('random()', random).replace(/::int\b/, '::int as tag'),
    )
    return made[0]?.tag
  }
  expect([await at('0::float8'), await at('(1 - power(2, -53))::float8')]).toEqual([1, 2_147_483_646])
  const drawn = await client.query(
    'select count(distinct t) as many, min(t) >= 1 as positive from (select journal_tag() as t from generate_series(1, 1000)) as x',
  )
  expect(Number(drawn.rows[0].many)).toBeGreaterThan(990)
  expect(drawn.rows[0].positive).toBe(true)
})

test('docs/operations.md says how many connections a node needs', async () => {
  const text = await readFile(new URL('docs/operations.md', root), 'utf8')
  expect(text).toContain(`${nodeConnections} with the defaults, and ${nodeConnectionsMax} while it starts`)
  expect(text).toContain(`with room for ${nodeConnectionsMax} connections a node`)
})

test('each advisory-lock key is defined in one place', async () => {
  const sql = (await filesIn('prisma', /\.sql$/)).flatMap(([, text]) => [...text.matchAll(/advisory\w*lock\((\d+(?:, \d+)?)/g)])
  const listed = /\[?(702\d(?:, \d+)?)\]?/g
  const code = [...(await readFile(new URL('src/store/locks.ts', root), 'utf8')).matchAll(listed)].map(([, key]) => key)
  const others = (await filesIn('src', /\.ts$/)).filter(
    ([path, text]) => path !== 'src/store/locks.ts' && /advisory\w*lock\(\d/.test(text),
  )
  expect(others.map(([path]) => path)).toEqual([])
  // locks.ts names the two keys of SQL in its comment, and defines the others.
  expect(sql.map(([, key]) => key).sort()).toEqual(['7021, 1', '7021, 3'])
  expect(code.sort()).toEqual(['7021, 1', '7021, 2', '7021, 3', '7021, 4', '7021, 5', '7022', '7023', '7024'])
})

test('a start applies changed functions, and leaves those of a newer release alone and works with them', async () => {
  const databaseUrl = await createDatabase()
  const client = await connect(databaseUrl)
  const own = await headOf(client)
  const { checksum } = await readFunctions()
  const change = async (number: number) => {
    await client.query(
      `do $do$ begin execute replace(pg_get_functiondef('journal_head'::regproc), 'begin', 'begin -- changed' || chr(10)); end $do$`,
    )
    await client.query('update function_release set number = $1, checksum = $2', [number, 'of another text'])
    expect(await headOf(client)).not.toBe(own)
  }
  for (const number of [functionRelease - 1, functionRelease]) {
    await change(number)
    await migrate(databaseUrl, log)
    expect(await headOf(client)).toBe(own)
    expect((await client.query('select number, checksum from function_release')).rows).toEqual([
      { number: functionRelease, checksum },
    ])
  }
  await change(functionRelease + 1)
  const newer = await headOf(client)
  const node = await openNode({ DATABASE_URL: databaseUrl })
  await migrate(databaseUrl, log)
  expect(await headOf(client)).toBe(newer)
  const [alice] = await signUpAll(node, 'Alice')
  const group = await alice?.group('Works')
  expect((await alice?.send(group ?? '', 'hello'))?.message.seq).toBe(1)
})

test('refuses a database from before the first release with a sentence of its own, and does not change it', async () => {
  const databaseUrl = await createDatabase()
  const client = await connect(databaseUrl)
  await client.query(
    "update _prisma_migrations set migration_name = '20261121000000_journal' where migration_name like '%\\_init'",
  )
  const before = (await client.query('select migration_name, checksum from _prisma_migrations order by 1')).rows
  await expect(migrate(databaseUrl, log)).rejects.toThrow(/created by a Parley from before 0\.1\.0/)
  expect((await client.query('select migration_name, checksum from _prisma_migrations order by 1')).rows).toEqual(before)
})
