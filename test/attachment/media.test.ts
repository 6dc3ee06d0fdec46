// The media process: a file that makes it die, or asks for too much, harms no other.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Media, MediaFailure } from '../../src/attachment/media.ts'
import type { MediaRequest } from '../../src/attachment/media-work.ts'
import { inWorkDirectory, removeLeftovers } from '../../src/attachment/work-directories.ts'
import { openLog } from '../../src/log/log.ts'
import { until } from '../support/until.ts'
import { photo } from './files.ts'
import { localFile } from './store.ts'

const media = new Media(openLog('silent', 'test'))
afterAll(() => media.close())

let small: MediaRequest
let large: MediaRequest

const requestOf = async (bytes: Buffer, contentType: string, bytesMax = 10_000_000): Promise<MediaRequest> => ({
  file: await localFile(bytes),
  kind: 'IMAGE',
  contentType,
  directory: await mkdtemp(path.join(tmpdir(), 'parley-media-test-')),
  isAvatar: false,
  bytesMax,
})
const noise = (side: number) =>
  sharp({
    create: { width: side, height: side, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 60 }, background: '#888' },
  })

beforeAll(async () => {
  small = await requestOf((await photo()).bytes, 'image/jpeg')
  large = await requestOf(await noise(5_000).jpeg({ quality: 60 }).toBuffer(), 'image/jpeg', 1_000_000_000)
})

/** The media processes of this test file. */
async function children(): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)])
  return stdout
    .split('\n')
    .filter((line) => line.includes('media-process'))
    .map((line) => Number.parseInt(line, 10))
}

test('when the process dies, the file under way fails and the ones after it get a new process', { timeout: 60_000 }, async () => {
  const [dying, next] = [media.run(large), media.run(small)]
  const failure = dying.catch((error: unknown) => error)
  await until('the process to start', async () => (await children()).length === 1)
  const [pid] = await children()
  process.kill(pid ?? 0, 'SIGKILL')
  expect(await failure).toBeInstanceOf(MediaFailure)
  expect(await next).toMatchObject({ result: { width: 640, height: 480 } })
  const now = await children()
  expect(now).toHaveLength(1)
  expect(now).not.toContain(pid)
})

test('a picture that grows beyond the largest file is made in WebP, or refused', { timeout: 60_000 }, async () => {
  const picture = await noise(600).png().toBuffer()
  const asIs = await media.run(await requestOf(picture, 'image/png'))
  const bytesOf = (answer: typeof asIs) => ('result' in answer ? (answer.result.made[0]?.byteSize ?? 0) : 0)
  const fits = await media.run(await requestOf(picture, 'image/png', bytesOf(asIs) - 1))
  expect(fits).toMatchObject({ result: { made: [{ name: 'picture', contentType: 'image/webp' }, { name: '320' }] } })
  expect(bytesOf(fits)).toBeLessThan(bytesOf(asIs))
  expect(await media.run(await requestOf(picture, 'image/png', 1_000))).toEqual({
    refusal: 'the picture takes more than 1000 bytes',
  })
})

test('the directory of a job is gone after it, and one that a killed node left goes after an hour', async () => {
  const used = await inWorkDirectory(async (directory) => {
    expect((await stat(directory)).isDirectory()).toBe(true)
    return directory
  })
  await expect(stat(used)).rejects.toThrow('ENOENT')
  const names = ['parley-file-test-old', 'parley-file-test-new']
  const [old, fresh] = names.map((name) => path.join(tmpdir(), name)) as [string, string]
  for (const directory of [old, fresh]) await mkdir(directory, { recursive: true })
  const before = new Date(Date.now() - 2 * 3_600_000)
  await utimes(old, before, before)
  await removeLeftovers()
  expect((await readdir(tmpdir())).filter((name) => names.includes(name))).toEqual(['parley-file-test-new'])
  await utimes(fresh, before, before)
  await removeLeftovers()
})
