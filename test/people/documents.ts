// The operations of the tests about people.

import { graphql } from '../support/generated/index.ts'

export const ChangePassword = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) { sessions { id } cursor }
  }
`)
