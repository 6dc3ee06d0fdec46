// A device in a process of its own, which can be stopped like a laptop with a closed lid. Arguments: the URL of a node's
// WebSocket, and an access token. Prints "connected", and stays.

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
