// The form to log in or sign up.

import { type Credentials, createParleyClient, ParleyFailure } from '../../client/src/client.ts'
import { LogIn, SignUp } from './documents.ts'
import { el, fieldsOf } from './dom.ts'

/** The user who logged in, with the credentials of the session. */
export type Login = { readonly userId: string; readonly credentials: Credentials }

const endpoint = new URL('/graphql', location.href).href
const deviceName = 'Web page'

/** Shows the form until a user has logged in or signed up. */
export function showLogin(root: HTMLElement, entered: (login: Login) => Promise<void>): void {
  const client = createParleyClient({ url: endpoint })
  const problem = el('p', { className: 'bad', role: 'alert' })
  const field = (name: string, label: string, more: { readonly [name: string]: string | boolean }) =>
    el('label', {}, label, el('input', { name, required: true, ...more }))
  const form = el(
    'form',
    { className: 'entry' },
    field('username', 'Username', { autocomplete: 'username', autocapitalize: 'none', autofocus: true }),
    field('password', 'Password', { type: 'password', autocomplete: 'current-password' }),
    el('button', { className: 'main', value: 'logIn' }, 'Log in'),
    el('button', { value: 'signUp' }, 'Sign up'),
  )
  const enter = async (how: string) => {
    const { username = '', password = '' } = fieldsOf(form)
    const login =
      how === 'signUp'
        ? (await client.request(SignUp, { input: { username, password, displayName: username, deviceName } })).signUp
        : (await client.request(LogIn, { input: { username, password, deviceName } })).logIn
    const { accessToken, refreshToken, expiresAt, viewer } = login
    await client.close()
    await entered({ userId: viewer.id, credentials: { accessToken, refreshToken, expiresAt } })
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    problem.textContent = ''
    enter((event.submitter as HTMLButtonElement | null)?.value ?? 'logIn').catch((error: unknown) => {
      problem.textContent = error instanceof ParleyFailure ? error.message : String(error)
    })
  })
  root.replaceChildren(
    el(
      'main',
      { className: 'door' },
      el('h1', {}, 'Parley'),
      el('p', { className: 'faint' }, 'A small page on the chat server that runs here.'),
      form,
      problem,
    ),
  )
}
