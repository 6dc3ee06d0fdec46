// The durable job that processes a file. graphile-worker keeps it in Postgres, and adds it with what makes it necessary.

import { z } from 'zod'
import { type Reader, statement } from '../store/reader.ts'

/** The name of the job, and of its task. */
export const fileJob = 'file_process'
/** The payload of the job. */
export const fileJobForm = z.object({ fileId: z.number().int() })

/** How many times a job is attempted that fails: retries take some days. */
const attemptsMax = 25
/** After how many seconds a job is attempted again while a store or the scanner is away: between this and twice as much. */
const postponedS = 10
const add = statement(
  'file_add_job',
  `select graphile_worker.add_job('${fileJob}', json_build_object('fileId', $1::bigint), job_key := '${fileJob}:' || $1::text,
     max_attempts := ${attemptsMax}, run_at := now() + make_interval(secs => $2))`,
)

/** Adds the job of a file in the transaction of `reader`. */
export async function addFileJob(reader: Reader, fileId: number): Promise<void> {
  await reader.rows(add, [fileId, 0])
}

/**
 * Adds the job of a file again, for some seconds later. The pauses between attempts that fail grow to hours: a file must not wait that long
 * for a store that has come back.
 */
export async function postponeFileJob(reader: Reader, fileId: number): Promise<void> {
  await reader.rows(add, [fileId, postponedS * (1 + Math.random())])
}
