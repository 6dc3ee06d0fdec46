// The failures that Parley expects, as one closed list. Any other error is a bug: it is masked and logged.

/**
 * Every code of `extensions.code` in a GraphQL error, with its meaning for clients. The enum `ErrorCode` in the schema is made
 * from this list, and a test compares the table in docs/protocol.md with it.
 */
export const errorCodes = {
  UNAUTHENTICATED: 'The request has no access token, or one that this server does not accept.',
  TOKEN_EXPIRED: 'The access token has expired: get a new one with refreshSession.',
  SESSION_REVOKED:
    'The session was ended by logOut, revokeSession, changePassword, the deletion or suspension of its account, or the reuse of a refresh token: log in again.',
  ACCOUNT_SUSPENDED: 'An operator has suspended the account; the message says until when and why.',
  INVALID_CREDENTIALS: 'The account does not exist or the password is wrong; the server does not say which.',
  FORBIDDEN:
    'You may not do this: your role does not allow it, the conversation is closed, the other user does not accept messages from you, has left the group or is blocked by you, you are banned from the group or may not write in it, the server key lacks the scope, or this server does not offer it.',
  NOT_FOUND: 'The object does not exist or you may not see it; the server does not say which.',
  BAD_INPUT: 'An argument is invalid; `argument` names it.',
  USERNAME_TAKEN: 'The username is reserved, or another account has it or one that looks like it.',
  EXTERNAL_ID_TAKEN: 'The external ID already names another object, or one of another tenant.',
  MESSAGE_REFUSED: 'The backend of this app, or a word rule of this server, does not allow the message; the error says why.',
  IDEMPOTENCY_CONFLICT: 'You have already used this clientMessageId with different content.',
  VERSION_CONFLICT: 'The object has changed since you read it: read it again.',
  MESSAGE_DELETED: 'The message was deleted and can no longer be changed.',
  UPLOAD_INCOMPLETE: 'The bytes of this attachment have not all arrived: upload them, then repeat.',
  ATTACHMENT_USED: 'The attachment is already in another message: upload the file again.',
  FILE_REFUSED:
    'The content of the file cannot be used here: it is damaged, too large to show, no picture, or refused by a scan.',
  STORAGE_FULL: 'There is no room for the file: your quota is used up, or the storage of the server is full.',
  EPOCH_CONFLICT:
    'Another commit came first, or somebody left and your device did not know: apply everything up to `cursor`, and commit again.',
  EPOCH_STALE: 'The message was encrypted in an epoch that is over: apply the commits since, and encrypt it again.',
  REKEY_REQUIRED:
    'Somebody left the encrypted conversation, or a device is gone: a member must commit without them before the next message.',
  ENCRYPTION_REQUIRED:
    'The conversation is encrypted, and this is in the clear; or it is not, and this is a ciphertext. `argument` names what.',
  CURSOR_REFUSED:
    'The server cannot continue from this cursor: it belongs to another epoch or history, is ahead of the journal, or is too old. `events` would start with a RESET.',
  LIMIT_EXCEEDED: 'The request would exceed a limit of this server; `argument` names what is too large.',
  RATE_LIMITED:
    'You have made too many attempts, too many of your requests are waiting, or the group is in slow mode: retry after `retryAfterMs`.',
  UNAVAILABLE:
    'The server cannot do this at the moment: retry. The action may have been done. It is always safe to retry sendMessage with the same input; before you retry another mutation, read the current state.',
  OPERATION_REFUSED:
    'The document is too large, too deep, too costly, or invalid for this schema; or this connection cannot run the operation.',
  INTERNAL: 'An internal error. The server has logged it with the `requestId` of this error.',
} as const

/** One of the closed list of codes. */
export type ErrorCode = keyof typeof errorCodes

/** The details of an error. */
export type ErrorDetails = {
  /** The argument at fault, as a path: `input.text`. */
  argument?: string
  /** How long to wait before a retry, in milliseconds. */
  retryAfterMs?: number
  /** The cursor of what came first. */
  cursor?: string
  /** The underlying error, for the log only. */
  cause?: unknown
}

const retryable: ReadonlySet<ErrorCode> = new Set(['RATE_LIMITED', 'UNAVAILABLE'])

/** An expected failure. The client gets its code and its message. */
export class ParleyError extends Error {
  readonly code: ErrorCode
  readonly argument: string | undefined
  readonly retryAfterMs: number | undefined
  readonly cursor: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.name = 'ParleyError'
    this.code = code
    this.argument = details.argument
    this.retryAfterMs = details.retryAfterMs
    this.cursor = details.cursor
  }

  /** Whether the same request may succeed later. */
  get isRetryable(): boolean {
    return retryable.has(this.code)
  }
}

/** The same error for an object that does not exist and for one that the viewer may not see. */
export function notFound(what: string): ParleyError {
  return new ParleyError('NOT_FOUND', `${what} not found.`)
}

/** The refusal of an invalid argument. `argument` is a path such as `input.text`. */
export function badInput(argument: string, message: string): ParleyError {
  return new ParleyError('BAD_INPUT', `${argument}: ${message}`, { argument })
}

/** Why the server cannot start, in words for the operator. The process exits with 1. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * The codes with which the server closes a WebSocket, besides those of graphql-ws (4400–4499) and 1012 (the node shuts down). A
 * graphql-ws client reconnects after each of them. The table is in docs/protocol.md.
 */
export const closeCodes = {
  /** The access token is forged, foreign, or not a token. */
  TOKEN_REFUSED: 4601,
  /** The access token has expired: refresh it, connect again, resume. */
  TOKEN_EXPIRED: 4602,
  /** The session was ended: log in again. */
  SESSION_REVOKED: 4603,
  /** The node cannot continue the stream: connect again, to any node, and resume from the last cursor. */
  RESUME: 4610,
} as const
