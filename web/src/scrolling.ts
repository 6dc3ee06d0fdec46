// The scroll position of the messages. The list grows from its end upwards (`column-reverse`): what is added before the visible messages
// moves nothing, and a list at its end stays there. Anything else keeps the first visible message where it is.

import { type MessageView, useStore } from 'parley-client/react'
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { arrive } from './place.ts'

/** How near to an edge more is loaded, and how near to the end counts as the end, in pixels. */
const loadWithin = 800
const endWithin = 40

type Options = {
  /** The ID of the conversation. */
  id: string
  view: MessageView
  /** A message to jump to. */
  messageId: string | null
  /** The message to begin at; null begins at the end. */
  startId: string | null
}

/** Where the list should go as soon as the message is there. The one to begin at stands at the top, and is not marked. */
type Goal = { readonly id: string; readonly isStart: boolean } | { readonly seq: number }

const rowsOf = (box: HTMLElement) => [...(box.querySelector('ol')?.children ?? [])] as HTMLElement[]

/** The first row that ends below a height: rows stand in order. */
function findRow(rows: readonly HTMLElement[], height: number): HTMLElement | null {
  let [from, to] = [0, rows.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if ((rows[middle]?.getBoundingClientRect().bottom ?? 0) > height) to = middle
    else from = middle + 1
  }
  return rows[from] ?? null
}

export function useScrolling({ id, view, messageId, startId }: Options) {
  const store = useStore()
  const box = useRef<HTMLElement>(null)
  const anchor = useRef<{ row: HTMLElement; top: number } | null>(null)
  const goal = useRef<Goal | null>(null)
  const hasBegun = useRef(false)
  const [isAtEnd, setIsAtEnd] = useState(true)
  const [targetId, setTargetId] = useState<string | null>(null)

  const look = useCallback(() => {
    const place = box.current
    if (!place || view.messages.length === 0) return
    const isEnd = place.scrollTop >= -endWithin
    setIsAtEnd(isEnd)
    const { top, bottom } = place.getBoundingClientRect()
    const rows = rowsOf(place)
    const row = isEnd && !view.hasNewer ? null : findRow(rows, top)
    anchor.current = row && { row, top: row.getBoundingClientRect().top }
    const last = isEnd ? view.messages.at(-1)?.seq : Number(findRow(rows, bottom - endWithin)?.dataset.seq)
    if (last && !document.hidden && goal.current === null) void view.markRead(last)
    if (view.isLoading || view.failure) return
    const above = place.scrollHeight - place.clientHeight + place.scrollTop
    if (view.hasOlder && above < loadWithin) void view.loadOlder()
    else if (view.hasNewer && -place.scrollTop < loadWithin) void view.loadNewer()
  }, [view])

  useEffect(() => {
    if (messageId === null) return
    goal.current = { id: messageId, isStart: false }
    void store.showAround(id, { messageId })
  }, [store, id, messageId])
  useEffect(() => {
    if (messageId !== null && messageId === targetId) arrive(id)
  }, [id, messageId, targetId])

  // After every change: go to where the list should be, or keep what is visible where it is.
  useLayoutEffect(() => {
    const place = box.current
    if (!place || view.messages.length === 0) return
    if (!hasBegun.current) {
      hasBegun.current = true
      if (startId !== null && messageId === null) goal.current = { id: startId, isStart: true }
    }
    const wanted = goal.current && findGoal(rowsOf(place), goal.current)
    if (goal.current && wanted) {
      const isStart = 'isStart' in goal.current && goal.current.isStart
      goal.current = null
      wanted.scrollIntoView({ block: isStart ? 'start' : 'center' })
      if (!isStart) setTargetId(wanted.dataset.id ?? null)
    } else if (anchor.current?.row.isConnected) {
      const moved = anchor.current.row.getBoundingClientRect().top - anchor.current.top
      if (moved !== 0) place.scrollTop += moved
    }
  })
  useEffect(() => {
    look()
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [look])

  const goToEnd = () => {
    if (box.current) box.current.scrollTop = 0
  }
  const pendingCount = view.pending.length
  const knownCount = useRef(pendingCount)
  useLayoutEffect(() => {
    if (pendingCount > knownCount.current) {
      anchor.current = null
      if (box.current) box.current.scrollTop = 0
    }
    knownCount.current = pendingCount
  }, [pendingCount])

  return {
    ...{ box, isAtEnd, targetId, onScroll: look },
    toEnd() {
      anchor.current = null
      if (view.hasNewer) void view.showNewest().then(goToEnd)
      else goToEnd()
    },
    jumpToSeq(seq: number) {
      goal.current = { seq }
      void view.showAround({ seq })
    },
  }
}

function findGoal(rows: readonly HTMLElement[], goal: Goal): HTMLElement | null {
  const found = rows.find(({ dataset }) => ('id' in goal ? dataset.id === goal.id : Number(dataset.seq) >= goal.seq))
  return found ?? null
}
