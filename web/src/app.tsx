// Shows the log-in, or the chat of the user who is logged in.

import { ParleyProvider, type ParleyStore } from 'parley-client/react'
import { useEffect, useState } from 'react'
import { Chat } from './chat.tsx'
import { Login } from './login.tsx'
import { loggedInUser, openSession } from './session.ts'
import { sentenceOfEnd } from './texts.ts'

export function App() {
  const [userId, setUserId] = useState(loggedInUser)
  const [store, setStore] = useState<ParleyStore | null>(null)
  const [notice, setNotice] = useState<string | null>(null)

  useEffect(() => {
    if (userId === null) return undefined
    let isCurrent = true
    const session = openSession(userId, (code) => {
      if (!isCurrent) return
      setStore(null)
      setUserId(null)
      setNotice(sentenceOfEnd(code))
    })
    void session.store.then((opened) => isCurrent && setStore(opened))
    return () => {
      isCurrent = false
      void session.close()
    }
  }, [userId])

  const entered = (id: string) => {
    setNotice(null)
    setUserId(id)
  }
  if (userId === null) return <Login notice={notice} onEnter={entered} />
  if (!store) return null
  return (
    <ParleyProvider store={store}>
      <Chat />
    </ParleyProvider>
  )
}
