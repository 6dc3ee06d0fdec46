// Serves the metrics of a node on a port of its own, which only monitoring should reach.

import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { App } from '../parts.ts'
import { pathOf } from './http.ts'
import { listen } from './listen.ts'
import { type Metrics, type OpenCounts, openMetrics } from './metrics.ts'

/** The server of a node's metrics. */
export type MetricsServer = { readonly port: number; close(): Promise<void> }

/**
 * Serves the metrics at /metrics; null if no port is configured.
 * @throws StartError if it cannot listen on the port
 */
export async function serveMetrics(app: App, open: OpenCounts): Promise<MetricsServer | null> {
  const { host, metricsPort } = app.config.http
  if (metricsPort === null) return null
  const metrics = openMetrics(app, open)
  const http = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    answer(request, response, metrics).catch((error: unknown) => {
      app.log.error({ err: error }, 'the metrics could not be shown')
      response.destroy()
    })
  })
  try {
    await listen(http, metricsPort, host, 'PARLEY_METRICS_PORT')
  } catch (error) {
    metrics.close()
    throw error
  }
  return {
    port: (http.address() as AddressInfo).port,
    async close() {
      metrics.close()
      await closed(http)
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, metrics: Metrics): Promise<void> {
  if (pathOf(request) !== '/metrics') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found. The metrics are at /metrics.\n')
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end('Use GET or HEAD.\n')
    return
  }
  const text = await metrics.text()
  response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' }).end(text)
}

function closed(http: HttpServer): Promise<unknown> {
  const ended = new Promise((resolve) => http.close(resolve))
  http.closeAllConnections()
  return ended
}
