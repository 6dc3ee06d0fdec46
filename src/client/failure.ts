// What can go wrong between an app and Parley, as one kind of error with a code.

/** One error as the server tells it. */
export type ServerError = {
  readonly message: string
  readonly extensions?: {
    readonly code?: string
    readonly retryable?: boolean
    readonly retryAfterMs?: number
    readonly argument?: string
  }
}

/** What the server answers to an operation. */
export type Result<Data = unknown> = { readonly data?: Data | null; readonly errors?: readonly ServerError[] }

/** Codes that end a session: nothing but a new login helps. */
const ending: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'SESSION_REVOKED'])

/** An operation that was refused, or that had no answer. */
export class ParleyFailure extends Error {
  override readonly name = 'ParleyFailure'
  /** A code of the server's closed list (`FORBIDDEN`, `RATE_LIMITED`, …), or `NO_ANSWER`: nobody knows whether it was done. */
  readonly code: string
  /** Whether the same may succeed later. */
  readonly isRetryable: boolean
  /** How long to wait before that, where the server said so. */
  readonly retryAfterMs: number | undefined
  /** The argument at fault, as a path: `input.text`. */
  readonly argument: string | undefined
  /** All errors of the answer. */
  readonly errors: readonly ServerError[]

  constructor(code: string, message: string, isRetryable: boolean, errors: readonly ServerError[] = [], cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.isRetryable = isRetryable
    this.errors = errors
    this.retryAfterMs = errors[0]?.extensions?.retryAfterMs
    this.argument = errors[0]?.extensions?.argument
  }

  /** Whether the session is over. */
  get endsSession(): boolean {
    return ending.has(this.code)
  }
}

/** The failure that the errors of an answer tell; the first one decides. */
export function refusal(errors: readonly ServerError[]): ParleyFailure {
  const { message = 'The operation failed', extensions } = errors[0] ?? {}
  return new ParleyFailure(extensions?.code ?? 'INTERNAL', message, extensions?.retryable ?? false, errors)
}

/** There was no answer: it may have been done, or not. */
export function noAnswer(why: string, cause?: unknown): ParleyFailure {
  return new ParleyFailure('NO_ANSWER', why, true, [], cause)
}

/** The session is over: nothing but a new login helps. @param code why */
export const signedOut = (code: string) => new ParleyFailure(code, 'The session is over', false)

/** Any error as a failure: what is not one already counts as no answer. */
export function failureOf(error: unknown): ParleyFailure {
  return error instanceof ParleyFailure ? error : noAnswer(error instanceof Error ? error.message : String(error), error)
}
