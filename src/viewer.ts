// On whose behalf something happens: the first argument of every action.

import type { ServerKeyId, SessionId, UserId } from './id.ts'

/** A user who acts: with a session (a login on one device), or through a server key of the customer's backend. */
export type Viewer = {
  readonly userId: UserId
  /** Null if a server key acts for the user: then nothing that belongs to a device can be done. */
  readonly sessionId: SessionId | null
}

/** A user who acts with a session. */
export type SessionViewer = Viewer & { readonly sessionId: SessionId }

/** What server keys may be made for. A key may do nothing without the scope that it needs. */
export const serverKeyScopes = {
  ACT: 'Carry out operations on behalf of any user, with `parley-act-as`.',
  READ: 'Read on behalf of any user, and list users.',
  USERS: 'Make, change, list and delete users, and open sessions for them.',
  CHANGES: 'Follow everything that happens, with `changes`.',
  WEBHOOKS: 'Make, change, list and delete webhooks.',
  SEND: 'Make and change groups, and send system messages.',
  IMPORT: 'Import conversations and messages of another system.',
  MODERATE: 'Read and resolve reports, remove messages, suspend users, lift suspensions, and read the audit log.',
  KEYS: 'Make, list and revoke server keys.',
} as const

/** One of the scopes of server keys. */
export type ServerKeyScope = keyof typeof serverKeyScopes

/** The key of a backend that calls. */
export type ServerKey = {
  readonly id: ServerKeyId
  readonly name: string
  readonly scopes: readonly ServerKeyScope[]
  /** The only tenant that the key is for; null if it is for the whole installation. */
  readonly tenant: string | null
}
