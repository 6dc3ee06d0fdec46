// ParleyFailure: the only error that the library reports, with a code of the server or of its own.

/** One error of an answer. */
export type ServerError = {
  readonly message: string
  readonly extensions?: {
    readonly code?: string
    readonly retryable?: boolean
    readonly retryAfterMs?: number
    readonly argument?: string
  }
}

/** The server's answer to an operation. */
export type Result<Data = unknown> = {
  readonly data?: Data | null
  readonly errors?: readonly ServerError[]
  /** `cursor`: the answer includes everything up to it. */
  readonly extensions?: { readonly cursor?: string }
}

/** Codes that end a session: only a new login helps. */
const ending: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'SESSION_REVOKED', 'ACCOUNT_SUSPENDED'])

/** An operation that the server refused or did not answer, or an error in code of the app. */
export class ParleyFailure extends Error {
  override readonly name = 'ParleyFailure'
  /**
   * A code of the server's closed list (`FORBIDDEN`, `RATE_LIMITED`, …). Or `NO_ANSWER`: the operation may or may not have run.
   * Or `APP_FAILED`: a callback of the app threw `cause`. Or `BAD_DOCUMENT`: the followed document lacks a field that the
   * library needs.
   */
  readonly code: string
  /** Whether the same operation may succeed later. */
  readonly isRetryable: boolean
  /** How long to wait before a retry, if the server says so. */
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

/** The failure of an answer with errors; the first error decides. */
export function refusal(errors: readonly ServerError[]): ParleyFailure {
  const { message = 'The operation failed.', extensions } = errors[0] ?? {}
  return new ParleyFailure(extensions?.code ?? 'INTERNAL', message, extensions?.retryable ?? false, errors)
}

/** A failure without an answer: the operation may or may not have run. */
export function noAnswer(why: string, cause?: unknown): ParleyFailure {
  return new ParleyFailure('NO_ANSWER', why, true, [], cause)
}

/** Calls a callback of the app. @throws ParleyFailure `APP_FAILED` for an error in it; a ParleyFailure passes unchanged */
export async function fromApp<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof ParleyFailure) throw error
    throw new ParleyFailure('APP_FAILED', error instanceof Error ? error.message : String(error), true, [], error)
  }
}

/** Codes of documents that the server will refuse every time. */
const refusedForGood: ReadonlySet<string> = new Set(['OPERATION_REFUSED', 'BAD_INPUT', 'BAD_DOCUMENT'])

/** Whether the document is at fault, so that no retry helps. */
export const isRefusedForGood = ({ code }: ParleyFailure): boolean => refusedForGood.has(code)

/** Whether the server refuses the operation, and would again. A fault of the server and an expired token pass. */
export const isRefusal = ({ code, isRetryable }: ParleyFailure): boolean =>
  !isRetryable && code !== 'INTERNAL' && code !== 'TOKEN_EXPIRED'

/** The failure of a client whose session is over: only a new login helps. @param code why it ended */
export const signedOut = (code: string) => new ParleyFailure(code, 'The session has ended.', false)

/** Turns an error into a failure. An error that is no ParleyFailure counts as no answer. */
export function failureOf(error: unknown): ParleyFailure {
  return error instanceof ParleyFailure ? error : noAnswer(error instanceof Error ? error.message : String(error), error)
}
