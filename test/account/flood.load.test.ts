// Floods of log-ins and sign-ups: honest users get through, and the rest is refused.

import { beforeAll, expect, test } from 'vitest'
import { logIn, password, request, signUp } from '../support/device.ts'
import { LogIn, SignUp } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'

let node: Node
beforeAll(async () => {
  node = await openNode()
})

const account = (username: string) => ({ input: { username, password, displayName: 'Somebody', deviceName: 'Phone' } })

test('refuses more than a short queue at once, and says when to retry', async () => {
  const attempts = await Promise.all(
    Array.from({ length: 400 }, () =>
      request(node.url, LogIn, { input: { username: 'ivan', password: 'wrong', deviceName: 'x' } }),
    ),
  )
  const codes = attempts.map(({ errors }) => errors[0]?.extensions)
  const limited = codes.filter((extensions) => extensions?.code === 'RATE_LIMITED')
  expect(limited.length).toBeGreaterThan(0)
  expect(limited[0]).toMatchObject({ retryable: true, retryAfterMs: 1000 })
  expect(codes.filter((extensions) => extensions?.code === 'INVALID_CREDENTIALS').length).toBeGreaterThan(50)
})

test('D7 lets 40 of 40 honest log-ins through a flood of wrong passwords, for one account and for many', async () => {
  const people = await Promise.all(Array.from({ length: 10 }, (_, i) => signUp(node, `Honest${i}x`)))
  const wrong = (username: string) =>
    request(node.url, LogIn, { input: { username, password: 'wrong', deviceName: 'x' } }).then(({ errors }) => errors)
  const floods = [
    () => Array.from({ length: 250 }, () => wrong('ivan')),
    () => Array.from({ length: 20 }, (_, i) => [wrong(`nobody${i}`), request(node.url, SignUp, account(`flood-${i}-x`))]).flat(),
  ]
  for (const flood of floods) {
    const flooding = Promise.all(flood())
    const honest = await Promise.all(people.flatMap(({ username }) => Array.from({ length: 4 }, () => logIn(node, username))))
    expect(honest).toHaveLength(40)
    await flooding
  }
})
