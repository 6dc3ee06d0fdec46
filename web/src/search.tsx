// Finds messages, and jumps to them.

import { useEffect, useState } from 'react'
import { useAnswer } from './ask.ts'
import { SearchMessages } from './documents.ts'
import { nameOf } from './names.ts'
import { goTo } from './place.ts'
import { texts } from './texts.ts'
import { shortTimeOf } from './time.ts'

/** How long after the last key press the search begins, in milliseconds. */
const settledMs = 300

export function SearchResults({ query }: { query: string }) {
  const [settled, setSettled] = useState(query)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(query), settledMs)
    return () => clearTimeout(timer)
  }, [query])
  const { data, problem } = useAnswer(SearchMessages, { query: settled })
  const found = data?.searchMessages.nodes ?? []
  return (
    <div className="list">
      <p className="faint" role="status">
        {problem ?? (data === null ? texts.loading : found.length === 0 ? texts.noResults : '')}
      </p>
      <ul>
        {found.map(({ id, text, createdAt, sender, conversation }) => (
          <li key={id}>
            <button type="button" className="row found" onClick={() => goTo(conversation.id, id)}>
              <b dir="auto">{conversation.title ?? nameOf(conversation.otherUser)}</b>
              <time>{shortTimeOf(createdAt)}</time>
              <span className="last" dir="auto">
                {nameOf(sender)}: {text}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
