// The failures that Parley expects, as one closed list. Whatever is not a ParleyError is a bug: it is masked and logged.

/**
 * Every code that `extensions.code` of a GraphQL error may hold, with what it means to a client.
 * The schema's enum `ErrorCode` and the table in docs/protocol.md are made from this list.
 */
export const errorCodes = {
  UNAUTHENTICATED: 'No access token came with the request, or one that this server did not issue or does not trust.',
  TOKEN_EXPIRED: 'The access token has expired: get a fresh one with refreshSession.',
  SESSION_REVOKED:
    'The session was ended by logOut, by revokeSession, by changePassword, with its account, or by the reuse of a refresh token: log in again.',
  INVALID_CREDENTIALS: 'There is no such account, or the password is wrong; the two are not told apart.',
  FORBIDDEN:
    'You are a member, but your role does not allow this, or the conversation is closed; or somebody whom you name does not let you reach them, or is blocked by you; or this server does not offer it.',
  NOT_FOUND: 'It does not exist, or you may not see it; the two are not told apart.',
  BAD_INPUT: 'An argument is not of the form its description asks for; `argument` names it.',
  USERNAME_TAKEN: 'Another account has this username or one that looks like it, or it is reserved.',
  IDEMPOTENCY_CONFLICT: 'You have used this clientMessageId before, with other content.',
  VERSION_CONFLICT: 'Somebody changed it since you read it: read it again.',
  MESSAGE_DELETED: 'The message was deleted; nothing can be done to it any more.',
  CURSOR_REFUSED:
    'Nothing goes on from this cursor: it is of another epoch or history, ahead of the journal, or too old. `events` from it would be a RESET.',
  LIMIT_EXCEEDED: 'The action would exceed a limit of this server; `argument` names what is too large.',
  RATE_LIMITED: 'Too many attempts at once: try again after `retryAfterMs`.',
  UNAVAILABLE:
    'The server cannot do this at the moment: try again. Where it could not see whether the action was done, sendMessage is safe to repeat as it is; of others read the state first.',
  OPERATION_REFUSED: 'The document is too large, too deep, too costly, or not valid for this schema.',
  INTERNAL: 'A fault of the server. It was logged with the `requestId` that is beside this code.',
} as const

/** One of the closed list of codes. */
export type ErrorCode = keyof typeof errorCodes

/** What may be told beside a code. */
export type ErrorDetails = {
  /** The argument that is at fault, as a path: `input.text`. */
  argument?: string
  /** How long to wait before a repeat, in milliseconds. */
  retryAfterMs?: number
  /** The error that lies beneath, for the log only. */
  cause?: unknown
}

const retryable: ReadonlySet<ErrorCode> = new Set(['RATE_LIMITED', 'UNAVAILABLE'])

/** An expected failure: it is told to the client with its code and message. */
export class ParleyError extends Error {
  readonly code: ErrorCode
  readonly argument: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.name = 'ParleyError'
    this.code = code
    this.argument = details.argument
    this.retryAfterMs = details.retryAfterMs
  }

  /** Whether the same request may succeed later. */
  get isRetryable(): boolean {
    return retryable.has(this.code)
  }
}

/** The one answer for what does not exist and for what is not the asker's to see. */
export function notFound(what: string): ParleyError {
  return new ParleyError('NOT_FOUND', `${what} not found`)
}

/** A refusal of an argument's form. `argument` is a path such as `input.text`. */
export function badInput(argument: string, message: string): ParleyError {
  return new ParleyError('BAD_INPUT', `${argument}: ${message}`, { argument })
}

/** Why the server cannot start, in words for the person who starts it. The process ends with code 1. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * The codes with which this server closes a WebSocket, beside those of graphql-ws (4400–4499) and 1012 (it is going down).
 * A graphql-ws client connects again after each of them. The table is in docs/protocol.md.
 */
export const closeCodes = {
  /** The access token is forged, foreign, or not a token. */
  TOKEN_REFUSED: 4601,
  /** The access token has expired: refresh it, connect again, resume. */
  TOKEN_EXPIRED: 4602,
  /** The session was ended: log in again. */
  SESSION_REVOKED: 4603,
  /** This node can't go on with the stream: connect again, here or elsewhere, and resume from the last cursor. */
  RESUME: 4610,
} as const
