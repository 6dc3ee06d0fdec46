// Listening on a port.

import type { Server as HttpServer } from 'node:http'
import { StartError } from '../errors.ts'

/**
 * Listens on a port, 0 for a free one. `variable` is where the port comes from.
 * @throws StartError if it cannot
 */
export async function listen(http: HttpServer, port: number, host: string, variable: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject)
      http.listen(port, host, resolve)
    })
  } catch (error) {
    const { code } = error as { code?: string }
    const because =
      code === 'EADDRINUSE' ? `is in use: choose another ${variable}, or stop what listens there` : `cannot be used (${code})`
    throw new StartError(`${variable}: ${port} on ${host} ${because}`, { cause: error })
  }
}
