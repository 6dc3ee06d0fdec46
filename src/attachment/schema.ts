// The schema of attachments: files, and how to upload them.

import { z } from 'zod'
import { builder } from '../graphql/builder.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { line, parseInput } from '../graphql/input.ts'
import { type MaybePromise, mapMaybePromise } from '../graphql/loader.ts'
import { attachmentIdOf } from '../id.ts'
import { findVisibleAttachment, shownToAll } from './access.ts'
import { createUpload, fileNameMax, type UploadRequest, unusedMax } from './actions.ts'
import { type AttachmentRow, fileKinds } from './row.ts'
import { fullVariant } from './urls.ts'
import type { ShownAttachment } from './uses.ts'

export const AttachmentKind = builder.enumType('AttachmentKind', {
  description: 'What a file is, by its content. The declared type and the name make no difference.',
  values: {
    IMAGE: { description: 'A picture: JPEG, PNG, WebP, GIF or AVIF.' },
    VIDEO: { description: 'A video.' },
    AUDIO: { description: 'A sound.' },
    FILE: { description: 'Any other file. It is only ever downloaded, never shown in place.' },
  } as const,
})
const AttachmentState = builder.enumType('AttachmentState', {
  description: 'The processing state of a file.',
  values: {
    UPLOADING: { description: 'Its bytes have not all arrived.' },
    PROCESSING: {
      description: 'It has arrived, and is being looked at: pictures are made of it, or it is scanned. It has no URL yet.',
    },
    READY: { description: 'It can be shown.' },
    FAILED: { description: 'It cannot be shown: its content is damaged, too large, or refused by a scan. It has no URL.' },
  } as const,
})
const AttachmentPurpose = builder.enumType('AttachmentPurpose', {
  description: 'What a file is uploaded for.',
  values: {
    MESSAGE: { description: 'To be sent with a message.' },
    AVATAR: { description: 'To be the picture of a user or a group. It is made square.' },
  } as const,
})

type ShownVariant = { readonly url: string; readonly width: number; readonly height: number; readonly contentType: string }
const AttachmentVariant = builder.objectRef<ShownVariant>('AttachmentVariant').implement({
  description: 'A smaller picture that the server made of a picture.',
  fields: (t) => ({
    url: t.exposeString('url', { shared: true, description: 'Where to load it. Works as long as the URL of the attachment.' }),
    width: t.exposeInt('width', { shared: true, description: 'The width in pixels.' }),
    height: t.exposeInt('height', { shared: true, description: 'The height in pixels.' }),
    contentType: t.exposeString('contentType', { shared: true, description: 'Its media type: `image/webp`.' }),
  }),
})

/** The URLs of an attachment; null if it can't be shown, or the recipients may not have them. */
function openUrls(context: Context, attachment: ShownAttachment) {
  if (attachment.state !== 'READY') return null
  return mapMaybePromise(attachment.isOpen(context), (isOpen) => {
    if (!isOpen) return null
    const { urls } = context.app.files
    context.holdsUntil(urls.slotEndsAt())
    return (variant: string) => urls.download(attachment.id, variant)
  })
}

/** Finds something that needs the URLs of an attachment; `otherwise` if there are none. */
const withUrls = <T>(
  context: Context,
  attachment: ShownAttachment,
  show: (urlOf: (variant: string) => { url: string; expiresAt: number }) => T,
  otherwise: T,
): MaybePromise<T> => mapMaybePromise(openUrls(context, attachment), (urlOf) => (urlOf ? show(urlOf) : otherwise))

export const Attachment = builder.objectRef<ShownAttachment>('Attachment')
builder.node(Attachment, {
  description: 'A file: in a message, an avatar, or an upload of yours that nothing uses yet.',
  id: { shared: true, resolve: ({ id }) => String(id) },
  loadManyWithoutCache: (ids, context) => Promise.all(ids.map((id) => findVisibleAttachment(context, attachmentIdOf(id)))),
  fields: (t) => ({
    fileName: t.exposeString('fileName', { shared: true, description: 'The name that its sender gave it, without a path.' }),
    kind: t.expose('kind', { shared: true, type: AttachmentKind, description: 'What it is. FILE until all bytes have arrived.' }),
    contentType: t.exposeString('contentType', {
      shared: true,
      description:
        'Its media type, by its content if that is known. For a FILE it may be what the sender says: a label, which you must not trust.',
    }),
    byteSize: t.exposeInt('byteSize', {
      shared: true,
      description: 'Its size in bytes. For a picture, that of the picture that `url` returns.',
    }),
    state: t.expose('state', { shared: true, type: AttachmentState, description: 'The processing state of the file.' }),
    width: t.exposeInt('width', {
      shared: true,
      nullable: true,
      description: 'The width in pixels, of a picture or video; null if not known.',
    }),
    height: t.exposeInt('height', { shared: true, nullable: true, description: 'The height in pixels; null if not known.' }),
    durationMs: t.exposeInt('durationMs', {
      shared: true,
      nullable: true,
      description: 'How long a sound or video is, in milliseconds; null if not known.',
    }),
    thumbhash: t.exposeString('thumbhash', {
      shared: true,
      nullable: true,
      description:
        'A blurred preview of a picture in some 30 bytes (ThumbHash), in base64: show it while the picture loads. Null if not known.',
    }),
    url: t.string({
      shared: true,
      nullable: true,
      description:
        'Where to load the file, by GET, without a token; relative to the server unless it is absolute. Works until `urlExpiresAt`; then read the attachment again. A picture comes upright and without metadata, such as where it was taken. Null unless the file is READY, and for people who have left the conversation.',
      resolve: (attachment, _args, context) => withUrls(context, attachment, (urlOf) => urlOf(fullVariant).url, null),
    }),
    urlExpiresAt: t.field({
      type: 'DateTime',
      shared: true,
      nullable: true,
      description: 'When the URLs end: 15 to 30 minutes after they were read. Null if there are none.',
      resolve: (attachment, _args, context) =>
        withUrls<Date | null>(context, attachment, (urlOf) => new Date(urlOf(fullVariant).expiresAt), null),
    }),
    variants: t.field({
      type: [AttachmentVariant],
      shared: true,
      description: 'Smaller pictures, the smallest first; empty if it is no picture, or `url` is null.',
      resolve: (attachment, _args, context) =>
        withUrls<ShownVariant[]>(
          context,
          attachment,
          (urlOf) =>
            attachment.variants.map(({ name, width, height, contentType }) => ({
              url: urlOf(name).url,
              width,
              height,
              contentType,
            })),
          [],
        ),
    }),
  }),
})

// ---- Uploads

const CreateUploadInput = builder.inputType('CreateUploadInput', {
  description: 'Input for `createUpload`.',
  fields: (t) => ({
    fileName: t.string({
      description: `The name of the file: 1 to ${fileNameMax} characters on one line. A path before it is dropped.`,
    }),
    contentType: t.string({ description: 'The media type that you think it is, such as `image/jpeg`. The content decides.' }),
    byteSize: t.int({ description: 'Its exact size in bytes.' }),
    purpose: t.field({ type: AttachmentPurpose, defaultValue: 'MESSAGE', description: 'What the file will be used for.' }),
    isEncrypted: t.boolean({
      defaultValue: false,
      description:
        'Whether you have encrypted the bytes, for a message of an encrypted conversation. The server then looks at nothing and makes nothing of them: the attachment is a FILE. Give it a name and type that say nothing.',
    }),
  }),
})
const Upload = builder.objectRef<UploadRequest>('Upload').implement({
  description: 'How to send the bytes of a file. The URL needs no token: keep it to yourself.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'Where to send the bytes; relative to the server unless it is absolute.' }),
    method: t.string({ description: 'The method of the request: `PUT`.', resolve: () => 'PUT' }),
    headers: t.expose('headers', {
      type: 'JSON',
      description:
        'The headers that the request must have, as an object from names to values. Besides, it must have `Content-Length`, which clients send by themselves.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the upload must have ended.' }),
    resumableUrl: t.exposeString('resumableUrl', {
      nullable: true,
      description:
        'Where the tus protocol works, version 1.0.0: HEAD says how much has arrived, PATCH continues from there. Null if this server takes uploads in one piece only.',
    }),
  }),
})
const CreateUploadPayload = builder
  .objectRef<{ readonly attachment: AttachmentRow; readonly upload: UploadRequest }>('CreateUploadPayload')
  .implement({
    description: 'The result of `createUpload`.',
    fields: (t) => ({
      attachment: t.field({
        type: Attachment,
        description: 'The attachment, whose ID `sendMessage` takes.',
        resolve: ({ attachment }) => shownToAll(attachment),
      }),
      upload: t.expose('upload', { type: Upload, description: 'How to send the bytes.' }),
    }),
  })

const uploadForm = z.object({
  fileName: line(fileNameMax)
    .transform((name) => name.split(/[/\\]/).at(-1)?.trim() ?? '')
    .refine((name) => !/^\.*$/.test(name), 'must be the name of a file'),
  contentType: z
    .string()
    .max(127, 'must have at most 127 characters')
    .transform((text) => text.split(';', 1)[0]?.trim().toLowerCase() ?? '')
    .refine((text) => /^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/.test(text), 'must be a media type, such as image/jpeg'),
  byteSize: z.int('must be a whole number').min(1, 'must be at least 1'),
  purpose: z.enum(['MESSAGE', 'AVATAR']),
  isEncrypted: z.boolean(),
})

builder.mutationField('createUpload', (t) =>
  t.field({
    type: CreateUploadPayload,
    description: `Begins the upload of a file: reserves its room, and says where to send the bytes. When they have arrived, use the attachment within a day. You can have ${unusedMax} unused ones. Errors: BAD_INPUT, LIMIT_EXCEEDED, STORAGE_FULL, RATE_LIMITED, UNAVAILABLE.`,
    args: { input: t.arg({ type: CreateUploadInput, description: 'The file.' }) },
    resolve: (_root, { input }, context) => createUpload(requireViewer(context), parseInput(uploadForm, input), context.app),
  }),
)

/** The numbers of kinds, for lists of attachments of one kind. */
export const kindNumber = (kind: (typeof fileKinds)[number]) => fileKinds.indexOf(kind) + 1
