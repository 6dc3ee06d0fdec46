// The audit of graphql-http: what the specification of GraphQL over HTTP demands (MUST), asks for (SHOULD) and allows (MAY).
// https://graphql.github.io/graphql-over-http/draft/

import { auditServer } from 'graphql-http'
import { expect, test } from 'vitest'
import { openNode } from '../support/node.ts'

/** Audits that this server does not pass, and why. Everything else must pass. */
const reasons: Readonly<Record<string, string>> = {}

test('passes the audit of GraphQL over HTTP', async () => {
  const node = await openNode()
  const results = await auditServer({ url: node.url, fetchFn: fetch })
  const failed = results.filter(({ status }) => status !== 'ok')
  const told = await Promise.all(
    failed.map(async (result) => ({ ...result, body: 'response' in result ? await result.response.clone().text() : '' })),
  )
  expect(told.filter(({ id }) => !(id in reasons))).toEqual([])
  expect(Object.keys(reasons).toSorted()).toEqual(failed.map(({ id }) => id).toSorted())
  expect(results.length).toBeGreaterThan(50)
})
