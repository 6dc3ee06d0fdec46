// The media process of a node: decodes pictures, and reads the duration of sounds and videos, one file after another. It is a process
// of its own, so that a file that crashes a decoder or fills the memory harms nobody, and of low priority, so that messages go first.
// It has no secrets and no connections.

import { stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { parseFile } from 'music-metadata'
import sharp from 'sharp'
import { rgbaToThumbHash } from 'thumbhash'
import type { MadeFile, MediaAnswer, MediaRequest, MediaResult } from './media-work.ts'
import { avatarSides, pictureName, pictureSides } from './row.ts'

const priority = 10
/** The most pixels of a picture, over all of its frames. */
const pixelsMax = 100_000_000
const decodeS = 30
/** How large a picture is that a thumbhash is made of. */
const thumbhashSide = 100
const webp = 'image/webp'
const reading = { limitInputPixels: pixelsMax, failOn: 'error' } as const

os.setPriority(priority)
sharp.cache(false)
sharp.concurrency(1)

// Ends when the node disconnects: nothing else keeps it.
process.on('message', (request: MediaRequest) => {
  answer(request).then(
    (answered) => process.send?.(answered),
    (error: unknown) => process.send?.({ refusal: String((error as Error).message) } satisfies MediaAnswer),
  )
})

async function answer(request: MediaRequest): Promise<MediaAnswer> {
  return { result: request.kind === 'IMAGE' ? await makePictures(request) : await readDuration(request) }
}

/**
 * Makes a picture without metadata and turned upright, and smaller ones. All but the first frame of an animation are only in the
 * picture of full size. Rejects if the file cannot be decoded.
 */
async function makePictures({ file, contentType, directory, isAvatar, bytesMax }: MediaRequest): Promise<MediaResult> {
  const largest = isAvatar ? avatarSides[2] : pictureSides[2]
  const fit = isAvatar ? 'cover' : 'inside'
  const base = await sharp(file, { ...reading, pages: 1 })
    .autoOrient()
    .resize({ width: largest, height: largest, fit, withoutEnlargement: !isAvatar })
    .toColourspace('srgb')
    .ensureAlpha()
    .timeout({ seconds: decodeS })
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height } = base.info
  const frame = () => sharp(base.data, { raw: { width, height, channels: 4 } })
  const write = async (name: MadeFile['name'], side: number): Promise<MadeFile> => {
    const target = path.join(directory, name)
    const made = await frame()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 80 })
      .toFile(target)
    return { name, contentType: webp, byteSize: made.size, width: made.width, height: made.height }
  }
  const picture = isAvatar ? await write(pictureName, largest) : await writePicture(file, contentType, directory, bytesMax)
  const longer = Math.max(picture.width, picture.height)
  const sides = isAvatar ? avatarSides : pictureSides.filter((side, i) => i === 0 || side < longer)
  const smaller: MadeFile[] = []
  for (const side of sides) smaller.push(await write(`${side}` as const, side))
  const small = await frame()
    .resize({ width: thumbhashSide, height: thumbhashSide, fit: 'inside' })
    .raw()
    .toBuffer({ resolveWithObject: true })
  const thumbhash = Buffer.from(rgbaToThumbHash(small.info.width, small.info.height, small.data)).toString('base64')
  return { width: picture.width, height: picture.height, durationMs: null, thumbhash, made: [picture, ...smaller] }
}

/**
 * The picture in full size and, where browsers show it everywhere, in its own format; in WebP if it would get too large. Rejects if
 * that is too large too.
 */
async function writePicture(file: string, contentType: string, directory: string, bytesMax: number): Promise<MadeFile> {
  const own = await encodePicture(file, contentType, directory)
  const made = own.byteSize > bytesMax && own.contentType !== webp ? await encodePicture(file, webp, directory) : own
  if (made.byteSize > bytesMax) throw new Error(`the picture takes more than ${bytesMax} bytes`)
  return made
}

async function encodePicture(file: string, contentType: string, directory: string): Promise<MadeFile> {
  const target = path.join(directory, pictureName)
  const upright = sharp(file, { ...reading, animated: true })
    .autoOrient()
    .timeout({ seconds: decodeS })
  const formats = {
    'image/jpeg': () => upright.jpeg({ quality: 90 }),
    'image/png': () => upright.png(),
    'image/gif': () => upright.gif(),
  } as const
  const format = contentType as keyof typeof formats
  const encoded = format in formats ? formats[format]() : upright.webp({ quality: 90 })
  const made = await encoded.toFile(target)
  const height = made.pageHeight ?? made.height
  return {
    name: pictureName,
    contentType: format in formats ? format : webp,
    byteSize: made.size,
    width: made.width,
    height,
  }
}

/** Reads how long a sound or video is, and how large, if its beginning says so. */
async function readDuration({ file, contentType }: MediaRequest): Promise<MediaResult> {
  const { size } = await stat(file)
  const found = await parseFile(file, {
    duration: false,
    skipCovers: true,
    mimeType: contentType,
    fileSize: size,
  } as object).catch(() => null)
  const seconds = found?.format.duration
  const video = found?.format.trackInfo.find((track) => track.video)?.video
  return {
    width: video?.pixelWidth ?? null,
    height: video?.pixelHeight ?? null,
    durationMs: seconds !== undefined && Number.isFinite(seconds) ? Math.min(Math.round(seconds * 1_000), 2_147_483_647) : null,
    thumbhash: null,
    made: [],
  }
}
