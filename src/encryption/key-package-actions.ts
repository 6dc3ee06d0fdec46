// Key packages: devices upload them, and who adds a device to a group claims one. A claimed one is gone; the last resort of a device
// stays, so that nobody can keep it out of groups by claiming all others.

import { limited } from '../bus/counters.ts'
import { requireAdmission } from '../contact/reach.ts'
import { ParleyError } from '../errors.ts'
import { type DeviceId, deviceIdOf, type UserId, userIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { SessionViewer } from '../viewer.ts'
import { requireOwnDevice } from './device-actions.ts'
import { encryptionLimits, encryptionRates } from './row.ts'

/** Key packages to upload. Each is for one use, but for the last resort. */
export type NewKeyPackages = { readonly keyPackages: readonly Buffer[]; readonly lastResort: Buffer | null }

/** A key package that was claimed. The bytes are in base64. */
export type ClaimedKeyPackage = { readonly deviceId: DeviceId; readonly keyPackage: string }

/**
 * Stores key packages of the session's device, besides those that it has; a last resort replaces the former one. Repeating it stores
 * nothing twice.
 * @returns how many are there for one use
 * @throws ParleyError FORBIDDEN without a device, LIMIT_EXCEEDED, RATE_LIMITED
 */
export async function uploadKeyPackages(
  by: SessionViewer,
  { keyPackages, lastResort }: NewKeyPackages,
  app: App,
): Promise<number> {
  const { id: deviceId } = await requireOwnDevice(by, app.store.reader)
  const counted = {
    limit: { name: 'key-packages', most: encryptionRates.keyPackages, periodS: 3_600 },
    key: String(by.userId),
    times: Math.max(1, keyPackages.length),
    refusal: 'You have uploaded too many key packages. Try again later.',
  }
  return limited(app.counters, counted, () =>
    app.store.prisma.$transaction(async (tx) => {
      await tx.$executeRaw`select 1 from device where id = ${deviceId} for no key update`
      await tx.$executeRaw`delete from key_package where device_id = ${deviceId} and expires_at < now()`
      if (lastResort !== null) {
        await tx.$executeRaw`delete from key_package where device_id = ${deviceId} and last_resort`
        await store(tx, deviceId, [lastResort], true)
      }
      await store(tx, deviceId, keyPackages, false)
      const count = await tx.keyPackage.count({ where: { deviceId, lastResort: false } })
      if (count <= encryptionLimits.keyPackages) return count
      const message = `A device can have at most ${encryptionLimits.keyPackages} key packages.`
      throw new ParleyError('LIMIT_EXCEEDED', message, { argument: 'input.keyPackages' })
    }),
  )
}

async function store(tx: Transaction, deviceId: DeviceId, packages: readonly Buffer[], isLastResort: boolean): Promise<void> {
  if (packages.length === 0) return
  await tx.$executeRaw`
    insert into key_package(device_id, bytes, last_resort, expires_at)
      select ${deviceId}, u.bytes, ${isLastResort}, now() + ${encryptionLimits.keyPackageLastsS} * interval '1 second'
        from unnest(${packages.map((bytes) => new Uint8Array(bytes))}::bytea[]) u(bytes)
    on conflict (device_id, sha256(bytes)) do nothing`
}

/**
 * Claims a key package of each device of these users, without the viewer's own device. Devices without any are left out.
 * @throws ParleyError NOT_FOUND for an unknown user; FORBIDDEN with the argument of the first user that the viewer may not reach, unless
 *   they are in an encrypted conversation together; RATE_LIMITED
 */
export async function claimKeyPackages(by: SessionViewer, userIds: readonly UserId[], app: App): Promise<ClaimedKeyPackage[]> {
  const distinct = [...new Set(userIds)]
  const counted = {
    limit: { name: 'claims', most: encryptionRates.claims, periodS: 3_600 },
    key: String(by.userId),
    times: distinct.length,
    refusal: 'You have claimed too many key packages. Try again later.',
  }
  return limited(app.counters, counted, () =>
    app.store.prisma.$transaction(async (tx) => {
      const together = await findTogether(tx, by.userId, distinct)
      const others = distinct.filter((id) => id !== by.userId && !together.has(id))
      if (others.length > 0) await requireAdmission(tx, by, { added: others, named: userIds, argument: 'input.userIds' })
      const rows = await tx.$queryRaw<{ deviceId: bigint; keyPackage: string }[]>`
        with wanted as (
          select id from device where user_id = any(${distinct}::bigint[]) and removed_at is null
             and session_id is distinct from ${by.sessionId}),
        picked as materialized (
          select k.id from wanted d cross join lateral (
            select id from key_package where device_id = d.id and not last_resort and expires_at > now()
             order by id limit 1 for update skip locked) k),
        taken as (delete from key_package where id in (select id from picked) returning device_id, bytes)
        select device_id as "deviceId", translate(encode(bytes, 'base64'), E'\n', '') as "keyPackage" from (
          select device_id, bytes from taken
          union all
          select k.device_id, k.bytes from key_package k join wanted d on d.id = k.device_id
           where k.last_resort and k.device_id not in (select device_id from taken)) found
         order by device_id`
      return rows.map(({ deviceId, keyPackage }) => ({ deviceId: deviceIdOf(deviceId), keyPackage }))
    }),
  )
}

/** Those of these users who are in an encrypted conversation with a user: to talk there, they need each other's devices. */
async function findTogether(tx: Transaction, userId: UserId, userIds: readonly UserId[]): Promise<ReadonlySet<UserId>> {
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    select distinct theirs.user_id as id from current_audience own
      join current_audience theirs on theirs.conversation_id = own.conversation_id and theirs.encrypted
     where own.user_id = ${userId} and own.encrypted and theirs.user_id = any(${[...userIds]}::bigint[])`
  return new Set(rows.map(({ id }) => userIdOf(id)))
}
