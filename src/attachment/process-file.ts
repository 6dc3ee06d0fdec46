// Processes a complete upload, as a durable job: has it scanned, makes pictures of a picture, and reads how long a sound or a video
// is. Running it again changes nothing, so any node may take it over at any step.

import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { AttachmentId } from '../id.ts'
import type { App } from '../parts.ts'
import { statement } from '../store/reader.ts'
import { announceProcedure } from './announce.ts'
import { StoreFailure } from './file-store.ts'
import { type Media, MediaFailure } from './media.ts'
import type { MediaResult } from './media-work.ts'
import { type FileRow, fileColumns, originalName, pictureName, type Variant } from './row.ts'
import { inWorkDirectory } from './work-directories.ts'

const scanMs = 60_000
/** How often a file may make the media process die before it counts as the file's fault. */
const deathsMax = 3

/** The scanner could not say whether a file is clean. */
export class ScannerFailure extends Error {
  override readonly name = 'ScannerFailure'
}

const fileById = statement<FileRow & { readonly isAvatar: boolean; readonly attachmentIds: AttachmentId[] }>(
  'file_by_id',
  `select ${fileColumns}, a.is_avatar as "isAvatar", a.ids as "attachmentIds" from stored_file f
    cross join lateral (select coalesce(bool_or(purpose = 'AVATAR'), false) as is_avatar, coalesce(array_agg(id), '{}') as ids
                          from attachment where file_id = f.id) a
    where f.id = $1 and f.state <> 'REMOVING'`,
)
const processed = statement<{ id: number }>(
  'file_processed',
  `update stored_file set state = 'READY', content_type = $2, byte_size = $3, width = $4, height = $5, duration_ms = $6, thumbhash = $7,
     variants = $8, made_bytes = $9 where id = $1 and state = 'PROCESSING' returning id`,
)
const failed = statement<{ id: number }>(
  'file_failed',
  `update stored_file set state = 'FAILED' where id = $1 and state = 'PROCESSING' returning id`,
)

const died = statement<{ deaths: number }>(
  'file_died',
  'update stored_file set deaths = deaths + 1 where id = $1 returning deaths',
)

/** Processes a file. @throws StoreFailure, ScannerFailure if one is away: the job is then repeated */
export async function processFile(app: App, media: Media, fileId: number): Promise<void> {
  const { reader } = app.store.jobs
  const [file] = await reader.rows(fileById, [fileId])
  if (!file) return
  const store = app.files.storeOf(file)
  if (file.state === 'PROCESSING') {
    await inWorkDirectory(async (directory) => {
      const made = await lookAt(app, media, file, directory)
      if (typeof made === 'string') {
        app.log.info({ fileId, reason: made }, 'a file was refused')
        await app.store.jobs.lasting((tx) => tx.rows(failed, [fileId]))
        return
      }
      for (const { name, contentType } of made.made)
        await store.write(`${file.storageKey}/${name}`, path.join(directory, name), contentType)
      await app.store.jobs.lasting((tx) => tx.rows(processed, processedValues(file, made)))
    })
  }
  // Also after a crash between the two: the original of a picture is not kept, and the fact may not have been written.
  const [now] = await reader.rows(fileById, [fileId])
  if (now?.state === 'FAILED') await store.remove(file.storageKey)
  else if (now?.kind === 'IMAGE') await store.removeOne(`${file.storageKey}/${originalName}`)
  await Promise.all((now?.attachmentIds ?? []).map((id) => app.journal.append(announceProcedure, id, id)))
}

function processedValues(file: FileRow, { made, width, height, durationMs, thumbhash }: MediaResult): readonly unknown[] {
  const picture = made.find(({ name }) => name === pictureName)
  const variants: Variant[] = made
    .filter((each) => each !== picture)
    .map(({ name, contentType, width: across, height: down, byteSize }) => ({
      name,
      contentType,
      width: across,
      height: down,
      byteSize,
    }))
  const { contentType, byteSize } = picture ?? file
  const smaller = variants.reduce((sum, variant) => sum + variant.byteSize, 0)
  return [file.fileId, contentType, byteSize, width, height, durationMs, thumbhash, JSON.stringify(variants), smaller]
}

/** Has a file scanned and looked at. @returns what was made of it, or why it is refused */
async function lookAt(
  app: App,
  media: Media,
  file: FileRow & { isAvatar: boolean },
  directory: string,
): Promise<MediaResult | string> {
  const input = path.join(directory, originalName)
  const bytes = await app.files.storeOf(file).read(`${file.storageKey}/${originalName}`)
  if (!bytes) throw new StoreFailure('AWAY', new Error('the bytes of a file are gone'))
  await pipeline(bytes, createWriteStream(input))
  const { scanCommand } = app.config.files
  if (scanCommand !== null && !(await isClean(scanCommand, input))) return 'the scan refused it'
  if (file.kind === 'FILE') return { width: null, height: null, durationMs: null, thumbhash: null, made: [] }
  const { kind, contentType, isAvatar } = file
  try {
    const bytesMax = app.config.limits.fileBytesMax
    const answer = await media.run({ file: input, kind, contentType, directory, isAvatar, bytesMax })
    return 'refusal' in answer ? answer.refusal : answer.result
  } catch (error) {
    if (!(error instanceof MediaFailure)) throw error
    const [row] = await app.store.jobs.lasting((tx) => tx.rows(died, [file.fileId]))
    if ((row?.deaths ?? 0) >= deathsMax) return error.message
    throw error
  }
}

/** Runs the operator's scanner. It ends with 0 for a file that may be shown, with 1 for one that may not; anything else is a fault. */
function isClean(command: string, file: string): Promise<boolean> {
  const [program = '', ...options] = command.split(/\s+/)
  return new Promise((resolve, reject) => {
    execFile(program, [...options, file], { timeout: scanMs }, (error) => {
      if (!error) resolve(true)
      else if (error.code === 1) resolve(false)
      else reject(new ScannerFailure('the scanner of PARLEY_SCAN_COMMAND failed', { cause: error }))
    })
  })
}
