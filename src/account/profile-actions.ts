// Actions on your own profile: change it, change the username, delete the account, of which each feature erases its own part
// (erasure.ts).

import { notFound, ParleyError } from '../errors.ts'
import { type UserId, userIdOf } from '../id.ts'
import type { NewFact, Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import { endSessions, lockAccount, requirePassword, requireUsernameFree, throwTaken } from './actions.ts'
import { sessionRevoked, userUpdated } from './events.ts'
import { searchedAs } from './username.ts'

/** Changes to a profile. Omitted fields stay unchanged. */
export type Profile = { readonly displayName?: string; readonly bio?: string }

/**
 * The most hearers that receive a fact when a user changes, closest first. The others see the change when they next read the
 * user. The limit bounds the cost of one small change under the journal's lock: one fact for each hearer.
 */
export const hearersMax = 500

/** How many times to look for groups that the user was added to while leaving the others. */
const roundsMax = 10

/** Changes the viewer's profile. @throws ParleyError NOT_FOUND if the account was deleted */
export async function updateProfile(by: Viewer, { displayName, bio }: Profile, app: App): Promise<Place | null> {
  const { place } = await app.journal.writing(async (tx) => {
    const known = await lockUser(tx, by)
    const data = {
      ...(displayName === undefined || displayName === known.displayName ? {} : { displayName, ...searchedAs(displayName) }),
      ...(bio === undefined || bio === known.bio ? {} : { bio }),
    }
    if (Object.keys(data).length === 0) return { result: undefined, facts: [] }
    await tx.user.update({ where: { id: by.userId }, data })
    return { result: undefined, facts: userUpdated(by.userId, await findHearers(tx, by.userId)) }
  })
  return place
}

/** Changes the viewer's username. The old one is free at once. @throws ParleyError USERNAME_TAKEN, NOT_FOUND if deleted */
export async function changeUsername(by: Viewer, username: string, app: App): Promise<Place | null> {
  requireUsernameFree(username)
  const writing = app.journal.writing(async (tx) => {
    const known = await lockUser(tx, by)
    if (known.username === username) return { result: undefined, facts: [] }
    await tx.user.update({ where: { id: by.userId }, data: { username } })
    return { result: undefined, facts: userUpdated(by.userId, await findHearers(tx, by.userId)) }
  })
  const { place } = await writing.catch((error: unknown) => throwTaken(error, username))
  return place
}

/**
 * Deletes the viewer's account. It leaves each group in a transaction of its own, so that none locks them all, and then removes
 * the user in one transaction. A failure in between leaves an account in fewer groups: calling this again continues from there.
 * @throws ParleyError INVALID_CREDENTIALS, UNAVAILABLE
 */
export async function deleteAccount(by: Viewer, password: string | null, app: App): Promise<void> {
  const passwordHash = await requirePassword(by, password, app)
  // Read the hearers now, while the user is still in the groups whose members must hear of the deletion.
  const hearers = await findHearers(app.store.prisma, by.userId)
  for (let round = 1; round <= roundsMax; round += 1) {
    for (const { before } of app.erasures) await before?.leave(by, app)
    const { result: isGone } = await app.journal.writing(async (tx) => {
      await lockAccount(tx, by, passwordHash)
      for (const { before } of app.erasures) {
        if (before && !(await before.hasLeft(tx, by))) return { result: false, facts: [] }
      }
      return { result: true, facts: await removePerson(tx, by.userId, hearers, app) }
    })
    if (isGone) return forget(by.userId, app)
  }
  throw new ParleyError('UNAVAILABLE', 'You are being added to groups faster than you can leave them. Try again.', {
    retryAfterMs: 1_000,
  })
}

/** The last step. The account is already deleted and nothing shows what this removes, so a failure does not fail the action. */
async function forget(userId: UserId, app: App): Promise<void> {
  await app.journal
    .forget(userId)
    .catch((error: unknown) => app.log.error({ err: error, userId }, 'read markers of a deleted account were left over'))
}

/** Removes the data of a locked user and returns the facts about it. The user's row stays, without a name. */
async function removePerson(tx: Transaction, userId: UserId, hearers: readonly UserId[], app: App): Promise<NewFact[]> {
  const facts: NewFact[] = []
  for (const { erase } of app.erasures) facts.push(...(await erase(tx, userId)))
  const sessionIds = await endSessions(tx, userId, null)
  // The session rows stay until they would have expired: a starting node reads from them which tokens to refuse.
  await tx.session.updateMany({ where: { userId }, data: { deviceName: '', externalKey: null } })
  await tx.user.update({
    where: { id: userId },
    data: {
      username: `~${userId}`,
      displayName: 'Deleted account',
      searchName: '',
      bio: '',
      passwordHash: null,
      issuer: null,
      subject: null,
      deletedAt: new Date(app.clock.now()),
    },
  })
  const others = hearers.filter((id) => id !== userId)
  return [...facts, ...userUpdated(userId, others), ...sessionIds.map((sessionId) => sessionRevoked(userId, sessionId))]
}

/** Locks the viewer's own user until COMMIT. @throws ParleyError NOT_FOUND if the account was deleted */
async function lockUser(tx: Transaction, by: Viewer): Promise<{ username: string; displayName: string; bio: string }> {
  const [user] = await tx.$queryRaw<{ username: string; displayName: string; bio: string }[]>`
    select username, display_name as "displayName", bio from "user"
     where id = ${by.userId} and deleted_at is null for no key update`
  if (!user) throw notFound('User')
  return user
}

/**
 * The hearers of a user: the user, then contacts and partners in direct conversations, then members of the same groups; at most
 * `hearersMax`. Omits users with a block between them and this user.
 */
async function findHearers(tx: Transaction, userId: UserId): Promise<UserId[]> {
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    select near.id from (
      select ${userId}::bigint as id, 0 as distance
      union all
      select case when low_id = ${userId} then high_id else low_id end, 1
        from contact where (low_id = ${userId} or high_id = ${userId}) and accepted_at is not null
      union all
      select o.user_id, case c.kind when 'DIRECT' then 1 else 2 end
        from member m
        join conversation c on c.id = m.conversation_id
        join member o on o.conversation_id = c.id
       where m.user_id = ${userId}) near
      join "user" u on u.id = near.id and u.deleted_at is null
     where not exists (select 1 from block_between b where b.user_id = ${userId} and b.other_id = near.id)
     group by near.id order by min(near.distance), near.id limit ${hearersMax}`
  return rows.map(({ id }) => userIdOf(id))
}
