// Files in a bucket of an S3-compatible store. Clients write uploads straight to the bucket with a signed request; the node reads and
// writes the rest. The SDK is loaded only here, and only if a bucket is configured.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { S3Settings } from '../config/config.ts'
import { type FileStore, StoreFailure } from './file-store.ts'
import { objectNames, originalName, uploadName } from './row.ts'

/** How long the store may take to be reached, to answer, and to send the next bytes. */
const connectMs = 5_000
const idleMs = 10_000
/** How much longer it may take for each byte that it has to write. */
const writtenBytesPerMs = 256
const attemptsMax = 2
const missingNames = new Set(['NotFound', 'NoSuchKey', '404'])
const fullNames = new Set(['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'EntityTooLarge'])

/** Opens the store of a bucket. */
export async function openS3Store({ bucket, endpoint, region, credentials }: S3Settings): Promise<FileStore> {
  const [sdk, { getSignedUrl }] = await Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/s3-request-presigner')])
  const client = new sdk.S3Client({
    region,
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === null ? {} : { credentials }),
    // Not every compatible store knows the checksums that the SDK would add by itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: attemptsMax,
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: idleMs,
      throwOnRequestTimeout: true,
      // The node bounds its downloads itself: clients that read slowly must not hold the sockets that others need.
      httpAgent: { maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { maxSockets: Number.POSITIVE_INFINITY },
    },
  })
  const writing = (byteSize: number) => ({ requestTimeout: idleMs + byteSize / writtenBytesPerMs })
  const orMissing = (error: unknown) => {
    if (missingNames.has((error as Error).name)) return null
    throw failure(error)
  }
  const removeOne = async (object: string) => {
    await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: object })).catch(orMissing)
  }
  const sizeOf = async (object: string) => {
    const head = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: object })).catch(orMissing)
    return head?.ContentLength ?? null
  }
  return {
    name: 'S3',
    async signUpload(key, byteSize, contentType, expiresInS) {
      const Key = `${key}/${uploadName}`
      const command = new sdk.PutObjectCommand({ Bucket: bucket, Key, ContentLength: byteSize, ContentType: contentType })
      const signedHeaders = new Set(['content-length', 'content-type'])
      const url = await getSignedUrl(client, command, { expiresIn: expiresInS, signableHeaders: signedHeaders })
      return { url, headers: { 'content-type': contentType } }
    },
    uploadedSize: async (key) => (await sizeOf(`${key}/${uploadName}`)) ?? (await sizeOf(`${key}/${originalName}`)),
    async keepUpload(key, byteSize) {
      const [upload, original] = [`${key}/${uploadName}`, `${key}/${originalName}`]
      if ((await sizeOf(upload)) === byteSize) {
        const input = { Bucket: bucket, Key: original, CopySource: `${bucket}/${upload}` }
        await client.send(new sdk.CopyObjectCommand(input), writing(byteSize)).catch(orMissing)
        await removeOne(upload)
      }
      return (await sizeOf(original)) === byteSize
    },
    sizeOf,
    async read(object, range) {
      const Range = range && `bytes=${range.first}-${range.last}`
      const found = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: object, Range })).catch(orMissing)
      return found?.Body instanceof Readable ? Readable.from(inTime(found.Body), { objectMode: false }) : null
    },
    async write(object, file, contentType) {
      const { size } = await stat(file)
      const Body = createReadStream(file)
      const input = { Bucket: bucket, Key: object, Body, ContentLength: size, ContentType: contentType }
      await client.send(new sdk.PutObjectCommand(input), writing(size)).catch((error: unknown) => {
        throw failure(error)
      })
    },
    async remove(key) {
      await Promise.all(objectNames.map((name) => removeOne(`${key}/${name}`)))
    },
    removeOne,
    async close() {
      client.destroy()
    },
  }
}

/** Passes bytes on, and fails if the store does not send the next ones in time. How long the reader takes does not count. */
async function* inTime(body: Readable): AsyncIterable<Buffer> {
  const late = () => body.destroy(new Error(`the store sent nothing for ${idleMs} ms`))
  let limit = setTimeout(late, idleMs)
  try {
    for await (const chunk of body) {
      clearTimeout(limit)
      yield chunk as Buffer
      limit = setTimeout(late, idleMs)
    }
  } catch (error) {
    throw failure(error)
  } finally {
    clearTimeout(limit)
    body.destroy()
  }
}

function failure(error: unknown): StoreFailure {
  const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
  return new StoreFailure(fullNames.has(name) || $metadata?.httpStatusCode === 507 ? 'FULL' : 'AWAY', error)
}
