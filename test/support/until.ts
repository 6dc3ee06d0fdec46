// Waiting for a thing that tells nobody when it happens: it is looked at again and again, up to a limit.

import { setTimeout as delay } from 'node:timers/promises'

/** Waits until something holds; fails after the limit, 10 s where none is given. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; ) {
    if (await holds()) return
    await delay(20)
  }
  throw new Error(`waited in vain for ${what}`)
}
