// The files of a message. Their addresses end: one that does not load any more is read again.

import { type Message, useStore } from 'parley-client/react'
import { type MouseEvent, useState } from 'react'
import { FileAddress } from './documents.ts'
import { Icon } from './icon.tsx'
import { endpoint } from './session.ts'

type Attachment = Message['attachments'][number]

/** Pictures are shown at most this wide, in pixels of a screen with two for each. */
const shownWidth = 640

export function Attachments({ attachments }: { attachments: readonly Attachment[] }) {
  return (
    <ul className="files">
      {attachments.map((attachment) => (
        <li key={attachment.id}>
          <Shown attachment={attachment} />
        </li>
      ))}
    </ul>
  )
}

function Shown({ attachment }: { attachment: Attachment }) {
  const { kind, url } = attachment
  if (kind === 'IMAGE' && url) return <Picture attachment={attachment} url={url} />
  if ((kind === 'AUDIO' || kind === 'VIDEO') && url) return <Player attachment={attachment} url={url} />
  return <FileLink attachment={attachment} />
}

const absolute = (url: string) => new URL(url, endpoint).href

/** Reads the addresses of an attachment again. */
function useFreshAddress({ id }: Attachment) {
  const { client } = useStore()
  return async () => {
    const { node } = await client.request(FileAddress, { id })
    return node?.__typename === 'Attachment' ? node : null
  }
}

const smallest = (url: string, variants: readonly { readonly url: string; readonly width: number | null }[]) =>
  variants.toSorted((a, b) => (a.width ?? 0) - (b.width ?? 0)).find(({ width }) => (width ?? 0) >= shownWidth)?.url ?? url

function Picture({ attachment, url }: { attachment: Attachment; url: string }) {
  const { fileName, width, height, variants } = attachment
  const readAgain = useFreshAddress(attachment)
  const [fresh, setFresh] = useState<{ url: string; small: string } | null>(null)
  const failed = () => {
    if (fresh) return
    readAgain().then(
      (node) => node?.url && setFresh({ url: node.url, small: smallest(node.url, node.variants) }),
      () => undefined,
    )
  }
  return (
    <a href={absolute(fresh?.url ?? url)} target="_blank" rel="noreferrer">
      <img
        alt={fileName}
        src={absolute(fresh?.small ?? smallest(url, variants))}
        loading="lazy"
        onError={failed}
        width={width ?? undefined}
        height={height ?? undefined}
      />
    </a>
  )
}

/** Plays a sound or a video. Nothing of a sound is loaded before that, and of a video only its beginning. */
function Player({ attachment, url }: { attachment: Attachment; url: string }) {
  const { kind, fileName, width, height } = attachment
  const readAgain = useFreshAddress(attachment)
  const [shown, setShown] = useState(url)
  const failed = () => {
    if (shown !== url) return
    readAgain().then(
      (node) => node?.url && setShown(node.url),
      () => undefined,
    )
  }
  const source = { src: absolute(shown), controls: true, 'aria-label': fileName, onError: failed }
  return (
    <figure>
      {kind === 'AUDIO' ? (
        <audio {...source} preload="none" />
      ) : (
        <video {...source} preload="metadata" playsInline width={width ?? undefined} height={height ?? undefined} />
      )}
      <figcaption dir="auto">{fileName}</figcaption>
    </figure>
  )
}

function FileLink({ attachment }: { attachment: Attachment }) {
  const { fileName, byteSize, url, urlExpiresAt } = attachment
  const readAgain = useFreshAddress(attachment)
  const open = (event: MouseEvent) => {
    if (url && (urlExpiresAt ?? '') > new Date().toISOString()) return
    event.preventDefault()
    readAgain().then(
      (node) => node?.url && window.open(absolute(node.url), '_blank', 'noreferrer'),
      () => undefined,
    )
  }
  return (
    <a className="file" href={absolute(url ?? '')} target="_blank" rel="noreferrer" onClick={open}>
      <Icon name="file" />
      <span dir="auto">{fileName}</span>
      <small>{sizeOf(byteSize)}</small>
    </a>
  )
}

/** A size as people read it. */
export function sizeOf(bytes: number): string {
  const [unit, size] = bytes < 1e6 ? ['kilobyte', bytes / 1e3] : ['megabyte', bytes / 1e6]
  return new Intl.NumberFormat(navigator.language, { style: 'unit', unit: String(unit), maximumFractionDigits: 1 }).format(
    Number(size),
  )
}
