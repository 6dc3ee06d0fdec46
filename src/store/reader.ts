// Everything that a query shows is read through a Reader: by named statements, prepared once for each connection.
// A Reader is either the shared pool (each statement sees what is committed when it runs) or one snapshot.

import type pg from 'pg'

/** A statement with its name. `Row` is the shape of its rows, with the columns named as the code names them. */
export type Statement<Row> = { readonly name: string; readonly text: string; readonly row?: Row }

/** Declares a statement. Names are unique: they name the prepared statement on the connection. */
export function statement<Row>(name: string, text: string): Statement<Row> {
  return { name, text }
}

/** Reads rows. Fails with the driver's error; `isTransient` tells which of them pass. */
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
