// How far an encrypted message is read.

import type { SealedFile, UnreadableReason } from '../e2ee/content.ts'

/** What is known of an encrypted message. */
export type SealedState =
  /** It is being decrypted, or its facts are still to come. */
  | { readonly status: 'READING' }
  /** Its text is in `text`. The files are those of `attachments`, in their order. */
  | { readonly status: 'READ'; readonly files: readonly SealedFile[] }
  /** A newer version of the app wrote it. */
  | { readonly status: 'UNKNOWN' }
  | { readonly status: 'UNREADABLE'; readonly reason: UnreadableReason }
