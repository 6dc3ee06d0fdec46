// Queries read everything through a Reader, with named statements that are prepared once for each connection. A Reader is
// either the shared pool, where each statement sees what is committed when it runs, or one snapshot.

import type pg from 'pg'

/** A named statement. `Row` is the type of its rows, whose columns are named as in the code. */
export type Statement<Row> = { readonly name: string; readonly text: string; readonly row?: Row }

/** Declares a statement. Its name must be unique: it names the prepared statement on a connection. */
export function statement<Row>(name: string, text: string): Statement<Row> {
  return { name, text }
}

/** Reads rows. Rejects with the driver's error; `isTransient` says whether a retry may succeed. */
export type Reader = {
  rows<Row>(statement: Statement<Row>, values: readonly unknown[]): Promise<Row[]>
}

/** A Reader on a pool or on one connection. */
export function readerOn(source: pg.Pool | pg.PoolClient): Reader {
  return {
    async rows<Row>({ name, text }: Statement<Row>, values: readonly unknown[]) {
      const result = await source.query<Row & pg.QueryResultRow>({ name, text, values: [...values] })
      return result.rows
    },
  }
}
