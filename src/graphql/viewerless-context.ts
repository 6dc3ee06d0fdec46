// The context of a shared execution, without a viewer and a connection. A resolver that asks for either ends the sharing of its
// event.

import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import type { ServerKey } from '../viewer.ts'
import type { Context } from './context.ts'

/** A resolver asked for the viewer of a shared execution. */
class NotShared extends Error {
  constructor() {
    super('a shared execution has no viewer')
  }
}

/** The context of what a server key does by itself, without a request: it has no connection. */
export function backendContext(app: App, key: ServerKey): Context {
  const shared = viewerlessContext(app, app.store.reader)
  return Object.defineProperty(shared, 'caller', { value: { viewer: null, key, refusal: null }, enumerable: true })
}

/** A context whose caller and connection throw when they are used. */
export function viewerlessContext(app: App, reader: Reader): Context {
  const refuse = () => {
    throw new NotShared()
  }
  return {
    app,
    get caller(): never {
      throw new NotShared()
    },
    asksForCost: false,
    requestId: '',
    address: '',
    reader,
    snapshot: null,
    scope: null,
    wholeHistoryOf: null,
    visibleRange: null,
    holdsUntil: () => undefined,
    endConnection: refuse,
    renewConnection: null,
    device: refuse,
  }
}

/** Reads the data of events. It flushes after each read, because visible rows may not be on disk yet (B1). */
export function flushingReader(store: Store): Reader {
  return {
    async rows(statement, values) {
      const rows = await store.reader.rows(statement, values)
      await store.flush()
      return rows
    },
  }
}
