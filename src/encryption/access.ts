// Reads devices, and the state of encrypted groups. The key packages of others are only ever claimed: key-package-actions.ts.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type Context, isBackend, requireViewer } from '../graphql/context.ts'
import { indexBy, mapMaybePromise, sharedLoader, viewerLoader } from '../graphql/loader.ts'
import { type Page, readPage } from '../graphql/page.ts'
import type { ConversationId, DeviceId, Position, UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { SessionViewer } from '../viewer.ts'
import { type DeviceRow, deviceColumns, type OwnDeviceRow } from './row.ts'

const devicesByIds = statement<DeviceRow>(
  'devices_by_ids',
  `select ${deviceColumns} from device d where d.id = any($1::bigint[])`,
)
const devicesOfUser = (end: string, order: string) =>
  statement<DeviceRow>(
    `devices_of_user_${end}`,
    `select ${deviceColumns} from device d where d.user_id = $1 and d.id > $2 and d.id < $3 order by d.id ${order} limit $4`,
  )
const [oldestFirst, newestFirst] = [devicesOfUser('forward', 'asc'), devicesOfUser('backward', 'desc')]
const nearUsers = statement<{ id: UserId }>(
  'device_owners_near',
  `select u.id from unnest($2::bigint[]) as u(id)
    where u.id = $1
       or exists (select 1 from member mine join member theirs using (conversation_id) where mine.user_id = $1 and theirs.user_id = u.id)
       or exists (select 1 from contact c where c.low_id = least(u.id, $1) and c.high_id = greatest(u.id, $1) and c.accepted_at is not null)`,
)
const ownDevice = statement<OwnDeviceRow>(
  'device_of_session',
  `select ${deviceColumns}, d.session_id as "sessionId", d.dismissed as "isDismissed"
     from device d where d.session_id = $1 and d.user_id = $2 and d.removed_at is null`,
)
const packageCount = statement<{ count: number }>(
  'key_package_count',
  `select count(*)::int as count from key_package k join device d on d.id = k.device_id
    where d.session_id = $1 and not k.last_resort and k.expires_at > now()`,
)
/** The state of an encrypted group, without its GroupInfo, which is long. */
export type EpochRow = { readonly conversationId: ConversationId; readonly epoch: number; readonly needsRekey: boolean }
const epochs = statement<EpochRow>(
  'epochs_by_conversations',
  `select conversation_id as "conversationId", epoch, needs_rekey as "needsRekey" from epoch_head where conversation_id = any($1::bigint[])`,
)
const base64 = (column: string) => `translate(encode(${column}, 'base64'), E'\\n', '')`
const groupInfos = statement<{ conversationId: ConversationId; bytes: string | null }>(
  'group_infos_by_conversations',
  `select conversation_id as "conversationId", ${base64('group_info')} as bytes from epoch_head where conversation_id = any($1::bigint[])`,
)
const commits = statement<{ position: Position; bytes: string }>(
  'commits_by_positions',
  `select position, ${base64('commit')} as bytes from epoch_commit where position = any($1::bigint[])`,
)
const welcomes = statement<{ position: Position; bytes: string }>(
  'welcomes_by_positions',
  `select position, ${base64('welcome')} as bytes from welcome where position = any($1::bigint[])`,
)

/** Finds a device by id without a permission check: something that the viewer sees must already name it. */
export const findDevice = sharedLoader(async (reader, ids: readonly DeviceId[]) =>
  indexBy(await reader.rows(devicesByIds, [ids]), ({ id }) => id),
)

/** Whether the viewer may see the devices of a user: true, or null. They are near: the same, contacts, or in one conversation. */
const findNear = viewerLoader(async (context, userIds: readonly UserId[]) => {
  const rows = await context.reader.rows(nearUsers, [requireViewer(context).userId, userIds])
  return new Map(rows.map(({ id }) => [id, true]))
})

/** Finds a device of somebody near; null for any other. */
export async function findVisibleDevice(context: Context, deviceId: DeviceId): Promise<DeviceRow | null> {
  const device = await findDevice(context, deviceId)
  if (device === null || isBackend(context)) return device
  return mapMaybePromise(findNear(context, device.userId), (isNear) => (isNear ? device : null))
}

/** Reads a page of the devices of a user, in the order in which they were added; empty if the user is not near. */
export function readDevices(context: Context, userId: UserId, args: DefaultConnectionArguments): Promise<Page<DeviceRow>> {
  return readPage(
    args,
    ({ id }) => id,
    async ({ after, before, from, limit }) => {
      if (!isBackend(context) && !(await findNear(context, userId))) return []
      const values = [userId, after ?? 0, before ?? Number.MAX_SAFE_INTEGER, limit]
      return context.reader.rows(from === 'START' ? oldestFirst : newestFirst, values)
    },
  )
}

/** The device that a session is bound to; null if it is to none. */
export async function findOwnDevice({ userId, sessionId }: SessionViewer, reader: Reader): Promise<OwnDeviceRow | null> {
  const [device] = await reader.rows(ownDevice, [sessionId, userId])
  return device ?? null
}

/** How many key packages others may still claim of the session's device, without the last resort. */
export async function countKeyPackages({ sessionId }: SessionViewer, reader: Reader): Promise<number> {
  const [row] = await reader.rows(packageCount, [sessionId])
  return row?.count ?? 0
}

/** Finds the state of an encrypted group, without a permission check; null for a plain conversation. */
export const findEpoch = sharedLoader(async (reader, ids: readonly ConversationId[]) =>
  indexBy(await reader.rows(epochs, [ids]), ({ conversationId }) => conversationId),
)

/** Finds the newest GroupInfo of an encrypted group in base64, without a permission check; null before the first commit. */
export const findGroupInfo = sharedLoader(async (reader, ids: readonly ConversationId[]) => {
  const rows = await reader.rows(groupInfos, [ids])
  return new Map(rows.map(({ conversationId, bytes }) => [conversationId, bytes]))
})

/** Finds the commit of a fact in base64; null if the journal no longer keeps it. */
export const findCommit = sharedLoader(async (reader, positions: readonly Position[]) => {
  const rows = await reader.rows(commits, [positions])
  return new Map(rows.map(({ position, bytes }) => [position, bytes]))
})

/** Finds the Welcome of a fact in base64; null if the journal no longer keeps it. */
export const findWelcome = sharedLoader(async (reader, positions: readonly Position[]) => {
  const rows = await reader.rows(welcomes, [positions])
  return new Map(rows.map(({ position, bytes }) => [position, bytes]))
})
