// A client that stops itself (SIGSTOP) at the worst moment, run by stall.long.test.ts as a process of its own. Arguments: the
// moment, the database, and the application_name under which the test finds its backend.

import pg from 'pg'

/** The moments at which a client stops. */
export type Moment = 'CALL sent' | 'CALL executed, no Sync sent' | 'request inserted' | 'lock taken'

const [moment, databaseUrl, applicationName] = process.argv.slice(2) as [Moment, string, string]

/** 200,000 copies of one input: little to send and to store, and an answer of some 6 MB, more than the sockets' buffers hold. */
const largeCall = `call journal_send_batch(array_fill(1::bigint, array[200000]), array_fill(100::bigint, array[200000]),
  array_fill('6f9c2f0e-7a55-4a3c-9d39-1f1f3cf1a111'::uuid, array[200000]), array_fill('\\x00'::bytea, array[200000]),
  array_fill('text'::text, array[200000]), array_fill(null::bigint, array[200000]), array_fill('{}'::text, array[200000]),
  array_fill(null::text, array[200000]), null, null, null, null, null, null)`
const smallCall = `call journal_send_batch(array[1], array[100], array['6f9c2f0e-7a55-4a3c-9d39-1f1f3cf1a222'::uuid],
  array['\\x00'::bytea], array['text'], array[null::bigint], array['{}'], array[null::text], null, null, null, null, null, null)`

const client = new pg.Client({ connectionString: databaseUrl, application_name: applicationName })
await client.connect()
switch (moment) {
  case 'CALL sent':
    client.query(largeCall).catch(() => undefined)
    break
  case 'CALL executed, no Sync sent':
    client.query({
      submit(connection: pg.Connection) {
        connection.parse({ name: '', text: smallCall, types: [] }, true)
        connection.bind({}, true)
        connection.execute({}, true)
        connection.flush()
      },
    } as pg.Submittable)
    break
  case 'request inserted':
    // One message, so that "idle in transaction" only shows after all of it.
    await client.query(`begin; update conversation set title = $$half done$$ where id = 1;
      insert into journal_request(tag, facts) values (-7, '[{"kind": 5, "conversation_id": 1, "subject_id": 1}]')`)
    break
  case 'lock taken':
    await client.query('begin; select journal_lock()')
    break
}
process.kill(process.pid, 'SIGSTOP')
