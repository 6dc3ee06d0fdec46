// The picture of a person or a group, or its first letter on a colour of its own.

import { endpoint } from './session.ts'

const colours = 8

function colourOf(id: string): number {
  let sum = 0
  for (const char of id) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 997
  return sum % colours
}

/** What an avatar shows. */
export type Pictured = { readonly id: string; readonly name: string; readonly url: string | null; readonly isOnline?: boolean }

export function Avatar({ id, name, url, isOnline = false }: Pictured) {
  const [first = '?'] = name.trim()
  return (
    <span className={`avatar colour${colourOf(id)}`} aria-hidden="true">
      {url === null ? first.toUpperCase() : <img src={new URL(url, endpoint).href} alt="" />}
      {isOnline && <i className="online" />}
    </span>
  )
}
