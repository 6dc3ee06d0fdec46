// The form to log in or sign up.

import { createParleyClient } from 'parley-client'
import { type FormEvent, useRef, useState } from 'react'
import { LogIn, SignUp } from './documents.ts'
import { endpoint, keepLogin } from './session.ts'
import { sentenceOf, texts } from './texts.ts'

const device = { deviceName: 'Web', deviceKind: 'WEB' } as const

/** Logs in, or makes an account, and keeps the login. @returns the ID of the user @throws ParleyFailure */
async function enter(form: FormData, isNew: boolean): Promise<string> {
  const field = (name: string) => String(form.get(name) ?? '').trim()
  const login = { username: field('username'), password: String(form.get('password') ?? ''), ...device }
  const door = createParleyClient({ url: endpoint })
  try {
    const { viewer, ...credentials } = isNew
      ? (await door.request(SignUp, { input: { ...login, displayName: field('displayName') || login.username } })).signUp
      : (await door.request(LogIn, { input: login })).logIn
    const { accessToken, refreshToken, expiresAt } = credentials
    await keepLogin(viewer.id, { accessToken, refreshToken, expiresAt })
    return viewer.id
  } finally {
    await door.close()
  }
}

/** @param notice why the last session ended, if somebody else ended it */
export function Login({ notice, onEnter }: { notice: string | null; onEnter: (userId: string) => void }) {
  const [isNew, setIsNew] = useState(false)
  const [isBusy, setIsBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const first = useRef<HTMLInputElement>(null)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setProblem(null)
    setIsBusy(true)
    enter(new FormData(event.currentTarget), isNew)
      .then(onEnter, (error: unknown) => setProblem(sentenceOf(error)))
      .finally(() => setIsBusy(false))
  }
  const change = () => {
    setIsNew(!isNew)
    setProblem(null)
    first.current?.focus()
  }
  return (
    <main className="door">
      <form className="entry" onSubmit={submit}>
        <h1>Parley</h1>
        <p className="faint">{isNew ? texts.welcomeNew : texts.welcome}</p>
        {notice !== null && (
          <p className="notice" role="status">
            {notice}
          </p>
        )}
        <label>
          {texts.username}
          <input ref={first} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required />
        </label>
        {isNew && (
          <label>
            {texts.displayName}
            <input name="displayName" autoComplete="name" dir="auto" maxLength={80} />
          </label>
        )}
        <label>
          {texts.password}
          <input
            {...{ name: 'password', type: 'password', required: true, minLength: isNew ? 8 : 1 }}
            autoComplete={isNew ? 'new-password' : 'current-password'}
          />
        </label>
        <p className="problem" role="alert">
          {problem}
        </p>
        <button type="submit" className="primary" disabled={isBusy}>
          {isNew ? texts.signUp : texts.logIn}
        </button>
        <button type="button" className="link" onClick={change}>
          {isNew ? texts.haveAccount : texts.needAccount}
        </button>
      </form>
    </main>
  )
}
