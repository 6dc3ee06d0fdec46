// The interface of the stores of files: a local disk, or a bucket. Objects have names that the server makes (`<key>/<name>`), never
// names that users chose. test/attachment/store.ts is the suite that both pass.

import type { Readable } from 'node:stream'
import type { StoreName } from './row.ts'

/** A part of an object: bytes from `first` to `last`, both inclusive. */
export type ByteRange = { readonly first: number; readonly last: number }

/** How a client sends the bytes of an upload straight to the store. */
export type DirectUpload = { readonly url: string; readonly headers: Readonly<Record<string, string>> }

/** A store of files. Its methods reject with StoreFailure, and with any other error only if there is a bug. */
export type FileStore = {
  readonly name: StoreName
  /**
   * Signs a request with which a client writes exactly this many bytes; null if clients upload to the node instead.
   * @param expiresInS how long the request may begin, in seconds
   */
  signUpload(key: string, byteSize: number, contentType: string, expiresInS: number): Promise<DirectUpload | null>
  /** How many bytes a client has written, or the original has; null if there is neither. */
  uploadedSize(key: string): Promise<number | null>
  /**
   * Makes an upload of exactly this many bytes the original, where no client can write. Doing it again is no error, but only one
   * caller may do it at a time. @returns whether there is such an original now
   */
  keepUpload(key: string, byteSize: number): Promise<boolean>
  /** The size of an object in bytes; null if there is none. */
  sizeOf(object: string): Promise<number | null>
  /**
   * Reads an object, or a part of it; null if there is none. The caller destroys the stream if it does not read it to the end. The
   * stream fails with StoreFailure if the store stops sending.
   */
  read(object: string, range?: ByteRange): Promise<Readable | null>
  /** Writes an object from a file of this machine. It is there completely, or not at all. */
  write(object: string, file: string, contentType: string): Promise<void>
  /** Removes all objects of a key, complete or not. Removing none is no error. */
  remove(key: string): Promise<void>
  /** Removes one object. */
  removeOne(object: string): Promise<void>
  close(): Promise<void>
}

/** Why a store failed. FULL: it has no room. AWAY: it does not answer, is too slow, or refuses. */
export type FailureReason = 'FULL' | 'AWAY'

/** A store could not do something. */
export class StoreFailure extends Error {
  override readonly name = 'StoreFailure'
  readonly reason: FailureReason

  constructor(reason: FailureReason, cause: unknown) {
    super(reason === 'FULL' ? 'the store of files is full' : 'the store of files does not answer', { cause })
    this.reason = reason
  }
}
