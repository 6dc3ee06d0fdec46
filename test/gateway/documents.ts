// The operations of the gateway tests.

import { graphql } from '../support/generated/gql.ts'

export const Gateway = graphql(`
  query Gateway($region: String) {
    gateway(region: $region) {
      node { url region version connections capacity eventLoopLagMs isDraining }
      fallbacks { url region connections eventLoopLagMs }
    }
  }
`)
export const BeginFollowing = graphql(`
  query BeginFollowing { syncCursor }
`)
