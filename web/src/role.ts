// The role of the user who is logged in.

import { useAnswer } from './ask.ts'
import type { UserRole } from './generated/graphql.ts'
import { graphql } from './generated/index.ts'

const ViewerRole = graphql(`
  query ViewerRole {
    viewerRole
  }
`)

/** The user's role, asked for when a component needs it; `USER` until it is known. */
export function useRole(): UserRole {
  return useAnswer(ViewerRole, {}).data?.viewerRole ?? 'USER'
}
