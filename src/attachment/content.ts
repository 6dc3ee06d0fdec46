// Decides what a file is by its content. The declared type is only a label for files of no known form: browsers never get to see it.

import { fileTypeFromBuffer } from 'file-type'
import type { FileKind } from './row.ts'

/** How much of a file is looked at, in bytes. */
export const sniffedBytes = 65_536
/** The type of files that nothing is known of, and the one with which all files are sent that browsers should not show. */
export const plainBytes = 'application/octet-stream'

/** The pictures that are decoded and shown. Other pictures are files like any other. */
const pictures = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif'])
const videos = new Set(['video/mp4', 'video/webm', 'video/quicktime', 'video/x-m4v', 'video/3gpp'])
const sounds = new Set([
  ...['audio/mpeg', 'audio/mp4', 'audio/aac', 'audio/ogg', 'audio/opus', 'audio/wav', 'audio/flac', 'audio/x-m4a'],
  ...['audio/webm', 'audio/amr'],
])
/** Types that a player or a picture element would take at their word. */
const claimsMedia = /^(image|video|audio|font)\//

/** What a file is. `contentType` is one of the known types of its kind, or a label for a FILE. */
export type Content = { readonly kind: FileKind; readonly contentType: string }

/** Decides by the first bytes of a file. @param declared what its sender says it is, in the form of a media type */
export async function contentOf(beginning: Uint8Array, declared: string): Promise<Content> {
  // A malformed file of a known form can make the library throw.
  const found = await fileTypeFromBuffer(beginning).catch(() => undefined)
  const contentType = found?.mime.split(';')[0] ?? (claimsMedia.test(declared) ? plainBytes : declared)
  if (pictures.has(contentType)) return { kind: 'IMAGE', contentType }
  if (videos.has(contentType)) return { kind: 'VIDEO', contentType }
  if (sounds.has(contentType)) return { kind: 'AUDIO', contentType }
  return { kind: 'FILE', contentType }
}

/** The header with which a file is sent: its type if browsers may show it in place. */
export function servedType(kind: FileKind, contentType: string): string {
  return kind === 'FILE' ? plainBytes : contentType
}
