// A device in a process of its own, so that it can be stopped as a laptop whose lid is closed. Arguments: the address of a
// node's WebSocket, and an access token. Says "connected", and stays.

import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

const [url = '', accessToken] = process.argv.slice(2)
createClient({
  url,
  webSocketImpl: WebSocket,
  lazy: false,
  retryAttempts: 1_000,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 200)),
  shouldRetry: () => true,
  connectionParams: { accessToken },
  on: { connected: () => process.stdout.write('connected\n') },
})
