// The facts of the seam to the customer's backend.

import type { ServerKeyId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import { defineKinds } from '../journal/kind.ts'

/** The kinds of facts of the seam. */
export const platformKinds = defineKinds({
  ServerKeyRevoked: { number: 30, changesEarlierEvents: false, isHeard: false },
})

/** A server key was revoked. No user receives this; every node refuses the key when it sees it. */
export function serverKeyRevoked(keyId: ServerKeyId): NewFact {
  return { kind: platformKinds.ServerKeyRevoked.number, subject_id: keyId }
}
