// What the node and its media process say to each other. media-process.ts does the work, media.ts asks for it.

import { z } from 'zod'
import { type FileKind, madeNames } from './row.ts'

/** A file to look at. */
export type MediaRequest = {
  readonly file: string
  readonly kind: FileKind
  readonly contentType: string
  /** Where to write what is made of it. */
  readonly directory: string
  /** Whether to make square pictures. */
  readonly isAvatar: boolean
  /** The most bytes of a picture in full size. */
  readonly bytesMax: number
}

const size = z.number().int().positive()
const madeFileForm = z.object({
  /** The name of its object, and of the file in the directory of the request. */
  name: z.enum(madeNames),
  contentType: z.enum(['image/jpeg', 'image/png', 'image/gif', 'image/webp']),
  byteSize: size,
  width: size,
  height: size,
})
const resultForm = z.object({
  width: size.nullable(),
  height: size.nullable(),
  durationMs: z.number().int().nonnegative().nullable(),
  /** In base64. */
  thumbhash: z.string().max(100).nullable(),
  made: z.array(madeFileForm),
})

/** The form of an answer. The process reads files that anybody may have made, so its answers are not trusted. */
export const mediaAnswerForm = z.union([
  z.object({ result: resultForm }),
  // Why the file cannot be shown.
  z.object({ refusal: z.string().max(10_000) }),
])

/** A file that was made. */
export type MadeFile = z.infer<typeof madeFileForm>
/** What a file shows. What is not known is null. */
export type MediaResult = z.infer<typeof resultForm>
/** The answer to a request. */
export type MediaAnswer = z.infer<typeof mediaAnswerForm>
