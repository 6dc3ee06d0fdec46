// The durable job that processes a file. graphile-worker keeps it in Postgres, and adds it with what makes it necessary.

import { z } from 'zod'
import { type Reader, statement } from '../store/reader.ts'

/** The name of the job, and of its task. */
export const fileJob = 'file_process'
/** The payload of the job. */
export const fileJobForm = z.object({ fileId: z.number().int() })

/** How many times a job is attempted while a store is away: retries take some days. */
const attemptsMax = 25
const add = statement(
  'file_add_job',
  `select graphile_worker.add_job('${fileJob}', json_build_object('fileId', $1::bigint), job_key := '${fileJob}:' || $1::text,
     max_attempts := ${attemptsMax})`,
)

/** Adds the job of a file in the transaction of `reader`. */
export async function addFileJob(reader: Reader, fileId: number): Promise<void> {
  await reader.rows(add, [fileId])
}
