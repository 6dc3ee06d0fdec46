// Removes the devices whose sessions have ended, and key packages that have expired. It only compares tables, so a crash at any step
// leaves work for the next turn of any node.

import type { DeviceId, SessionId, UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { statement } from '../store/reader.ts'

const everyMs = 60_000
const gatherMs = 100
const stepRows = 100

/** A device whose session has ended. */
export type EndedDevice = { readonly deviceId: DeviceId; readonly userId: UserId; readonly sessionId: SessionId }

const ended = statement<EndedDevice>(
  'devices_ended',
  `select d.id as "deviceId", d.user_id as "userId", s.id as "sessionId" from device d join session s on s.id = d.session_id
    where d.removed_at is null and (s.revoked_at is not null or s.expires_at < now()) order by d.id limit ${stepRows}`,
)
const expired = statement<{ count: number }>(
  'key_packages_expire',
  `with gone as (delete from key_package where id = any(array(
     select id from key_package where expires_at < now() order by expires_at limit ${stepRows})) returning 1)
   select count(*) as count from gone`,
)

/** Opens the sweeper of a node. Wake it when a session ends. @param end removes the device of an ended session */
export function openDeviceSweeper(app: App, end: (device: EndedDevice, app: App) => Promise<void>): BackgroundLoop {
  const failure = 'the devices of ended sessions could not be removed'
  return new BackgroundLoop({ everyMs, gatherMs, failure, run: (closing) => sweep(app, end, closing) }, app.log)
}

async function sweep(app: App, end: (device: EndedDevice, app: App) => Promise<void>, closing: AbortSignal): Promise<void> {
  const { reader } = app.store.jobs
  for (;;) {
    const devices = await reader.rows(ended, [])
    for (const device of devices) {
      if (closing.aborted) return
      await end(device, app)
    }
    if (devices.length < stepRows) break
  }
  while (!closing.aborted && ((await reader.rows(expired, []))[0]?.count ?? 0) === stepRows);
}
