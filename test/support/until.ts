// Waits for a condition that no event announces, by polling it.

import { setTimeout as delay } from 'node:timers/promises'

/** Waits until a condition holds; fails after the limit: by default 30 s, for busy machines. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; ) {
    if (await holds()) return
    await delay(20)
  }
  throw new Error(`timed out waiting for ${what}`)
}
