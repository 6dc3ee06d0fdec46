// Asks the server for what the store does not keep, and runs what users do: with the failure in a person's words.

import type { Document, Variables } from 'parley-client'
import { useStore } from 'parley-client/react'
import { useCallback, useEffect, useState } from 'react'
import { sentenceOf } from './texts.ts'

/** The answer to a query, which is asked again when `about` changes and by `reload`. */
export function useAnswer<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars, about: unknown = null) {
  const { client } = useStore()
  const [data, setData] = useState<Data | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const key = JSON.stringify(variables)
  const [turn, setTurn] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` and `about` ask again
  useEffect(() => {
    let isCurrent = true
    client.request(document, JSON.parse(key) as Vars).then(
      (answer) => {
        if (!isCurrent) return
        setData(answer)
        setProblem(null)
      },
      (error: unknown) => isCurrent && setProblem(sentenceOf(error)),
    )
    return () => {
      isCurrent = false
    }
  }, [client, document, key, turn, about])
  const reload = useCallback(() => setTurn((now) => now + 1), [])
  return { data, problem, reload }
}

/** Runs an action, one at a time; `problem` says why the last one failed. */
export function useAction() {
  const { client } = useStore()
  const [isBusy, setIsBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const run = useCallback((action: () => Promise<unknown>): Promise<boolean> => {
    setIsBusy(true)
    setProblem(null)
    return action()
      .then(
        () => true,
        (error: unknown) => {
          setProblem(sentenceOf(error))
          return false
        },
      )
      .finally(() => setIsBusy(false))
  }, [])
  const request = useCallback(
    <Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars) =>
      run(() => client.request(document, variables)),
    [client, run],
  )
  return { client, run, request, isBusy, problem }
}
