// Calls the listeners of an app. An error of one listener is reported to the app, and stops neither the socket nor the other
// listeners.

type ErrorHost = { reportError?(error: unknown): void; readonly console?: { error(error: unknown): void } }

/** Calls a listener of the app. An error in it is reported as an uncaught error. */
export function notify(call: () => void): void {
  try {
    call()
  } catch (error) {
    const { reportError } = globalThis as ErrorHost
    if (reportError) reportError(error)
    else
      queueMicrotask(() => {
        throw error
      })
  }
}

/** Writes an error of the app's code to the console: for errors that the app gets in no other way, and that lead to a retry. */
export function logError(error: unknown): void {
  ;(globalThis as ErrorHost).console?.error(error)
}
