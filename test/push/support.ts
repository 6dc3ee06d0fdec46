// Shared by the notification tests: the settings of their nodes, and reading decisions.

import type pg from 'pg'
import type { Device } from '../support/device.ts'
import type { PushDecisionsQuery } from '../support/generated/graphql.ts'
import type { Environment } from '../support/node.ts'
import { until } from '../support/until.ts'
import { PushDecisions } from './documents.ts'

/** Keys for these tests only. */
export const vapid = {
  PARLEY_VAPID_PUBLIC_KEY: 'BCtK2UZpd9WFNT1BdZjlbl3p5pgxnWhowVM45k13YkJrrZr1_73THvcL_tw3rjf7qu4pMoO4uHQr67v2Zy7wQRQ',
  PARLEY_VAPID_PRIVATE_KEY: '5jCghm2W2kqXvDigQOqFUdPb2ZJdOJ7aomxE07KmLug',
} as const

/** Settings of a node that notifies at once, and may use services on loopback. */
export const pushing: Environment = {
  ...vapid,
  PARLEY_VAPID_SUBJECT: 'mailto:tests@parley.example',
  PARLEY_PUSH_DELAY_MS: '0',
  PARLEY_PUSH_ALLOW_PRIVATE: 'true',
  PARLEY_PRESENCE_TTL_S: '5',
}

export type Decision = PushDecisionsQuery['pushDecisions']['edges'][number]['node']

/** The decisions about a user's notifications, the newest first. */
export async function decisionsOf(device: Device): Promise<Decision[]> {
  return (await device.run(PushDecisions, { first: 100 })).pushDecisions.edges.map(({ node }) => node)
}

/** Waits until the decisions about a message are these, as `OUTCOME` or `OUTCOME REASON`, in any order. */
export async function decided(device: Device, messageId: string | null, ...expected: readonly string[]): Promise<Decision[]> {
  let seen: Decision[] = []
  const shown = () => seen.map(({ outcome, reason }) => (reason ? `${outcome} ${reason}` : outcome)).sort()
  await until(
    'decisions',
    async () => {
      seen = (await decisionsOf(device)).filter(({ message }) => (message?.id ?? null) === messageId)
      return JSON.stringify(shown()) === JSON.stringify([...expected].sort())
    },
    15_000,
  ).catch((error: unknown) => {
    throw new Error(`${(error as Error).message} ${expected.join(', ')}; there are ${shown().join(', ') || 'none'}`)
  })
  return seen
}

/** The times of the jobs that wait for theirs. */
export async function waitingJobs(sql: pg.Client): Promise<Date[]> {
  const { rows } = await sql.query<{ at: Date }>('select run_at as at from graphile_worker._private_jobs where run_at > now()')
  return rows.map(({ at }) => at)
}

/** Waits until something holds, while every job and every retry that waits for its time is made due at once. */
export async function hurried(sql: pg.Client, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const makeAllDue = `
    with retries as (update push_delivery set retry_at = now() where retry_at > now()),
         rests as (update push_registration set retry_at = now() where retry_at > now())
    update graphile_worker._private_jobs set run_at = now() where run_at > now() and locked_at is null`
  await until(what, async () => {
    await sql.query(makeAllDue)
    return holds()
  })
}
