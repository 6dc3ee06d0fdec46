// The failures that the test server answers with: the codes of the real one, and one of its own for what it lacks.

import { GraphQLError } from 'graphql'

/** The codes of the server that the test server knows. */
export type RefusalCode =
  | 'BAD_INPUT'
  | 'CURSOR_REFUSED'
  | 'FORBIDDEN'
  | 'IDEMPOTENCY_CONFLICT'
  | 'INVALID_CREDENTIALS'
  | 'LIMIT_EXCEEDED'
  | 'MESSAGE_DELETED'
  | 'NOT_FOUND'
  | 'OPERATION_REFUSED'
  | 'SESSION_REVOKED'
  | 'TOKEN_EXPIRED'
  | 'UNAUTHENTICATED'
  | 'USERNAME_TAKEN'
  | 'VERSION_CONFLICT'

/** The code of an error that says that the test server lacks something. The real server never sends it. */
export const lacksCode = 'TEST_SERVER_LACKS'

/** A refusal, as clients get it. @param argument the path of the argument at fault */
export function refuse(code: RefusalCode, message: string, argument?: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, retryable: false, ...(argument === undefined ? {} : { argument }) } })
}

/** The refusal of something that is allowed again after a while. */
export const tooSoon = (message: string, retryAfterMs: number) =>
  new GraphQLError(message, { extensions: { code: 'RATE_LIMITED', retryable: true, retryAfterMs } })

/** The same answer for what does not exist and for what the viewer may not see. */
export const notFound = (what: string, argument?: string) => refuse('NOT_FOUND', `${what} not found.`, argument)

/** The refusal of an invalid argument. */
export const badInput = (argument: string, message: string) => refuse('BAD_INPUT', `${argument}: ${message}`, argument)

/** The refusal of something that only the real server has. */
export function lacks(what: string): GraphQLError {
  const message = `The test server of parley-client does not have ${what}: test this against a real server.`
  return new GraphQLError(message, { extensions: { code: lacksCode, retryable: false } })
}
