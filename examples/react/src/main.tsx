// Logs in, and shows the chat. The server's URL comes from VITE_PARLEY_URL; it must allow this page's origin (PARLEY_ALLOWED_ORIGINS).

import { createParleyClient, indexedDbCredentials, indexedDbOutbox } from 'parley-client'
import { indexedDbStore, openStore, ParleyProvider, type ParleyStore } from 'parley-client/react'
import { type FormEvent, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Chat } from './chat'

const url: string = import.meta.env.VITE_PARLEY_URL ?? 'http://localhost:4000/graphql'
const LogIn = `mutation LogIn($input: LogInInput!) {
  logIn(input: $input) { accessToken refreshToken expiresAt }
}`
type Credentials = { accessToken: string; refreshToken: string; expiresAt: string }

async function logIn(username: string, password: string): Promise<ParleyStore> {
  const door = createParleyClient({ url })
  const input = { username, password, deviceName: 'Web' }
  const { logIn } = (await door.request(LogIn, { input })) as { logIn: Credentials }
  await door.close()
  const session = indexedDbCredentials(`login-${username}`)
  await session.save(logIn)
  const client = createParleyClient({ url, session, outbox: indexedDbOutbox(`outbox-${username}`) })
  return openStore(client, indexedDbStore(`store-${username}`))
}

function App() {
  const [store, setStore] = useState<ParleyStore | null>(null)
  const [problem, setProblem] = useState('')
  if (store) {
    return (
      <ParleyProvider store={store}>
        <Chat />
      </ParleyProvider>
    )
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    logIn(String(form.get('username')), String(form.get('password'))).then(setStore, (error: Error) => setProblem(error.message))
  }
  return (
    <form onSubmit={submit}>
      <input name="username" aria-label="Username" autoComplete="username" required />
      <input name="password" aria-label="Password" type="password" autoComplete="current-password" required />
      <button type="submit">Log in</button>
      <p role="alert">{problem}</p>
    </form>
  )
}

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  )
}
