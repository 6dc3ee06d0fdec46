// Telling an app something. Its listeners are called from the midst of ours: what one of them throws is the app's to hear of, and
// stops neither the socket nor the other listeners.

type Host = { reportError?(error: unknown): void }

/** Calls a listener of the app. What it throws is thrown again where errors that nobody caught are heard. */
export function tell(call: () => void): void {
  try {
    call()
  } catch (error) {
    const { reportError } = globalThis as Host
    if (reportError) reportError(error)
    else
      queueMicrotask(() => {
        throw error
      })
  }
}
