// The client library as the devices of a chaos run use it.

import { print } from 'graphql'
import WebSocket from 'ws'
import { createParleyClient, type ParleyClient } from '../../client/src/client.ts'
import type { Limits } from '../../client/src/options.ts'

/** Opens a client of a session that does not end. Its limits are shorter than an app's, because everything breaks often. */
export function openChaosClient(
  url: string,
  accessToken: string,
  fetch: typeof globalThis.fetch,
  limits: Partial<Limits>,
): ParleyClient {
  return createParleyClient({ url, session: () => accessToken, webSocketImpl: WebSocket as never, print, limits, fetch })
}
