// The picture of a person or a group, or its first letter on a colour of its own.

import type { ParleyClient } from 'parley-client'
import { useStore } from 'parley-client/react'
import { useState } from 'react'
import { FileAddress } from './documents.ts'
import { endpoint } from './session.ts'

const colours = 8

function colourOf(id: string): number {
  let sum = 0
  for (const char of id) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 997
  return sum % colours
}

type Picture = { readonly id: string; readonly url?: string | null }

/** What an avatar shows. */
export type Pictured = {
  readonly id: string
  readonly name: string
  readonly picture: Picture | null
  readonly isOnline?: boolean
}

export function Avatar({ id, name, picture, isOnline = false }: Pictured) {
  const [first = '?'] = name.trim()
  return (
    <span className={`avatar colour${colourOf(id)}`} aria-hidden="true">
      {first.toUpperCase()}
      {picture?.url && <Face key={picture.id} picture={picture} url={picture.url} />}
      {isOnline && <i className="online" />}
    </span>
  )
}

/** Addresses of pictures that were read again, by the one that does not load any more: many rows show the same picture. */
const fresh = new Map<string, Promise<string | null>>()

async function readAgain(client: ParleyClient, id: string): Promise<string | null> {
  const { node } = await client.request(FileAddress, { id })
  return node?.__typename === 'Attachment' ? (node.url ?? null) : null
}

/** A picture, which covers the letter as soon as it is there. */
function Face({ picture, url }: { picture: Picture; url: string }) {
  const { client } = useStore()
  const [shown, setShown] = useState<string | null>(url)
  const failed = () => {
    const asked = fresh.get(url) ?? readAgain(client, picture.id).catch(() => null)
    fresh.set(url, asked)
    void asked.then((next) => setShown(next === shown ? null : next))
  }
  return shown === null ? null : <img src={new URL(shown, endpoint).href} alt="" onError={failed} />
}
