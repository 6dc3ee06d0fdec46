// The context of an execution that is shared: without a viewer, and without a connection. A resolver that asks for one ends the
// sharing of its event.

import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import type { Context } from './context.ts'

/** A resolver asked for the viewer of a shared execution. */
class NotShared extends Error {
  constructor() {
    super('a shared execution has no viewer')
  }
}

/** A context in which asking for the caller or the connection throws. */
export function viewerlessContext(app: App, reader: Reader): Context {
  const refuse = () => {
    throw new NotShared()
  }
  return {
    app,
    get caller(): never {
      throw new NotShared()
    },
    requestId: '',
    address: '',
    reader,
    snapshot: null,
    scope: null,
    wholeHistoryOf: null,
    visibleRange: null,
    endConnection: refuse,
    renewConnection: null,
    device: refuse,
  }
}

/** Reads what events show: rows that are visible but not on disk yet are shown when they are (B1). */
export function flushingReader(store: Store): Reader {
  return {
    async rows(statement, values) {
      const rows = await store.reader.rows(statement, values)
      await store.flush()
      return rows
    },
  }
}
