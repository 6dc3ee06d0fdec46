// The people of the development stack: alice, bob, carol and dan, the same in tests, documents and on the first start.

import { signUp } from '../account/actions.ts'
import type { App } from '../app.ts'
import { ParleyError } from '../errors.ts'

/** The seeded people and the password that all of them have. */
export const people = [
  { username: 'alice', displayName: 'Alice' },
  { username: 'bob', displayName: 'Bob' },
  { username: 'carol', displayName: 'Carol' },
  { username: 'dan', displayName: 'Dan' },
] as const
export const password = 'password'

/** Creates the people who are missing. */
export async function seed(app: App): Promise<void> {
  const known = await app.store.prisma.user.count({ where: { username: { in: people.map(({ username }) => username) } } })
  if (known === people.length) return
  for (const person of people) {
    await signUp({ ...person, password, deviceName: 'Seed', deviceKind: 'OTHER' }, app).catch((error: unknown) => {
      if (!(error instanceof ParleyError && error.code === 'USERNAME_TAKEN')) throw error
    })
  }
}
