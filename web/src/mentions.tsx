// Mentions: an @ in the text opens a list of the members that it may name, for the keyboard and the pointer. The text keeps the username;
// messages show the name.

import { useStore, useViewer } from 'parley-client/react'
import { type KeyboardEvent, type RefObject, useEffect, useId, useState } from 'react'
import { Avatar, type Pictured } from './avatar.tsx'
import { MentionedMembers } from './documents.ts'
import { nameOf } from './names.ts'
import { texts } from './texts.ts'

type Mentioned = { readonly id: string; readonly username: string; readonly displayName: string }
type Mentionable = Mentioned & { readonly avatar?: Pictured['picture'] }

/** A mention in a text: an @ that begins a word, and a username. */
export const mention = /(?<![\w.@])@[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?/gi

/** The IDs of the users that a text mentions. @param known their IDs by username */
export function mentionedIn(text: string, known: Readonly<Record<string, string>>): readonly string[] {
  return [...new Set([...text.matchAll(mention)].flatMap(([written]) => known[written.slice(1).toLowerCase()] ?? []))]
}

/** The mention that ends at the caret, and where it begins; null if there is none. */
function mentionAt(text: string, caret: number): { readonly from: number; readonly query: string } | null {
  const [whole, query] = /(?<![\w.@])@([^\s@]{0,32})$/u.exec(text.slice(0, caret)) ?? []
  return whole === undefined || query === undefined ? null : { from: caret - whole.length, query }
}

type Options = {
  /** The ID of the conversation. */
  id: string
  text: string
  field: RefObject<HTMLTextAreaElement | null>
  isOff: boolean
  /** The text with a mention. */
  onChoose: (text: string, person: Mentionable) => void
}

/** The members to choose from while a mention is written. */
export function useMentions({ id, text, field, isOff, onChoose }: Options) {
  const listId = useId()
  const [caret, setCaret] = useState(0)
  const [active, setActive] = useState(0)
  /** The begin of a mention whose list the user has closed. */
  const [closed, setClosed] = useState<number | null>(null)
  const written = isOff ? null : mentionAt(text, caret)
  const people = useMembers(id, written === null || written.from === closed ? null : written.query)
  const current = people[Math.min(active, people.length - 1)] ?? null

  const choose = (person: Mentionable) => {
    if (!field.current || !written) return
    field.current.setRangeText(`@${person.username} `, written.from, caret, 'end')
    field.current.focus()
    setCaret(field.current.selectionStart)
    onChoose(field.current.value, person)
  }
  /** @returns whether the key belongs to the list */
  const keyDown = (event: KeyboardEvent): boolean => {
    if (!current || event.nativeEvent.isComposing) return false
    if (event.key === 'ArrowDown') setActive((active + 1) % people.length)
    else if (event.key === 'ArrowUp') setActive((active + people.length - 1) % people.length)
    else if ((event.key === 'Enter' && !event.shiftKey) || event.key === 'Tab') choose(current)
    else if (event.key === 'Escape') setClosed(written?.from ?? null)
    else return false
    event.preventDefault()
    return true
  }
  const looked = (at: number) => {
    setCaret(at)
    setActive(0)
    if (mentionAt(text, at)?.from !== closed) setClosed(null)
  }
  const optionId = (person: Mentionable) => `${listId}-${person.id}`
  return {
    keyDown,
    looked,
    fieldProps: {
      'aria-autocomplete': 'list',
      'aria-haspopup': 'listbox',
      'aria-controls': current ? listId : undefined,
      'aria-activedescendant': current ? optionId(current) : undefined,
    } as const,
    list: current && <MentionList {...{ listId, people, current, optionId, choose }} />,
  }
}

/** The members that a query fits; nobody for null. */
function useMembers(id: string, query: string | null): readonly Mentionable[] {
  const { client } = useStore()
  const viewer = useViewer()
  const [people, setPeople] = useState<readonly Mentionable[]>([])
  useEffect(() => {
    setPeople((now) => (query === null && now.length > 0 ? [] : now))
    if (query === null) return undefined
    let isCurrent = true
    client.request(MentionedMembers, { id, query: query || null }).then(
      ({ conversation }) => isCurrent && setPeople(conversation?.members.nodes.map(({ user }) => user) ?? []),
      () => isCurrent && setPeople([]),
    )
    return () => {
      isCurrent = false
    }
  }, [client, id, query])
  return query === null ? [] : people.filter((person) => person.id !== viewer?.id)
}

type ListProps = {
  listId: string
  people: readonly Mentionable[]
  current: Mentionable
  optionId: (person: Mentionable) => string
  choose: (person: Mentionable) => void
}

function MentionList({ listId, people, current, optionId, choose }: ListProps) {
  return (
    <div id={listId} className="mentions" role="listbox" aria-label={texts.mentions}>
      {people.map((person) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys belong to the field, which keeps the focus
        <div
          key={person.id}
          id={optionId(person)}
          role="option"
          tabIndex={-1}
          aria-selected={person === current}
          // The field keeps the focus.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => choose(person)}
        >
          <Avatar id={person.id} name={nameOf(person)} picture={person.avatar ?? null} />
          <span className="names">
            <b dir="auto">{nameOf(person)}</b>
            <small>@{person.username}</small>
          </span>
        </div>
      ))}
    </div>
  )
}

/** A mention in a message. */
export function Mention({ person }: { person: Mentioned }) {
  const viewer = useViewer()
  return (
    <span className="mention" data-own={person.id === viewer?.id} title={`@${person.username}`} dir="auto">
      @{nameOf(person)}
    </span>
  )
}
