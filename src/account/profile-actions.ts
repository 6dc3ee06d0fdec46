// Actions on your own account: change the username, delete it. Each feature erases its own part of it (erasure.ts).
// profile-changes.ts changes the profile.

import { retireUnused } from '../attachment/avatars.ts'
import { limited } from '../bus/counters.ts'
import { ParleyError } from '../errors.ts'
import type { UserId } from '../id.ts'
import type { NewFact, Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { jsonColumn } from '../store/json-column.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'
import { endSessions, lockAccount, requirePassword, requireUsernameFree, throwTaken } from './actions.ts'
import { accountBarred, sessionRevoked, userUpdated } from './events.ts'
import { findHearers, lockUser } from './hearers.ts'

/** How many times to look for groups that the user was added to while leaving the others. */
const roundsMax = 10

/**
 * Changes the viewer's username. The old one is free at once.
 * @throws ParleyError USERNAME_TAKEN, NOT_FOUND if the account was deleted, RATE_LIMITED
 */
export async function changeUsername(by: Viewer, username: string, app: App): Promise<Place | null> {
  requireUsernameFree(username)
  const counted = {
    limit: { name: 'username-changes', most: app.config.attempts.usernameChangesMax, periodS: 86_400 },
    key: String(by.userId),
    refusal: 'You have changed your username too often. Try again later.',
  }
  const change = async (tx: Transaction) => {
    const known = await lockUser(tx, by.userId)
    if (known.username === username) return { result: undefined, facts: [] }
    await tx.user.update({ where: { id: by.userId }, data: { username } })
    return { result: undefined, facts: userUpdated(by.userId, await findHearers(tx, by.userId)) }
  }
  const changing = limited(app.counters, counted, () => app.journal.writing(change))
  const { place } = await changing.catch((error: unknown) => throwTaken(error, username))
  return place
}

/**
 * Deletes the viewer's account. It leaves each group in a transaction of its own, so that none locks them all, and then removes
 * the user in one transaction. A failure in between leaves an account in fewer groups: calling this again continues from there.
 * @throws ParleyError INVALID_CREDENTIALS, UNAVAILABLE
 */
export async function deleteAccount(by: Viewer, password: string | null, app: App): Promise<void> {
  const passwordHash = await requirePassword(by, password, app)
  await removeAccount(by, passwordHash, app)
}

/** The parts of a node that deleting an account needs. */
export type DeletingApp = Pick<App, 'clock' | 'erasures' | 'journal' | 'log' | 'store'>

/** Deletes an account with this password, for `deleteAccount` and for operators. */
export async function removeAccount(by: Viewer, passwordHash: string | null, app: DeletingApp): Promise<void> {
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
async function forget(userId: UserId, app: DeletingApp): Promise<void> {
  await app.journal
    .forget(userId)
    .catch((error: unknown) => app.log.error({ err: error, userId }, 'read markers of a deleted account were left over'))
}

/** Removes the data of a locked user and returns the facts about it. The user's row stays, without a name. */
async function removePerson(tx: Transaction, userId: UserId, hearers: readonly UserId[], app: DeletingApp): Promise<NewFact[]> {
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
      avatarId: null,
      passwordHash: null,
      issuer: null,
      subject: null,
      suspensionReason: null,
      data: jsonColumn(null),
      deletedAt: new Date(app.clock.now()),
    },
  })
  await retireUnused(tx, userId)
  const others = hearers.filter((id) => id !== userId)
  return [
    ...facts,
    accountBarred(userId),
    ...userUpdated(userId, others),
    ...sessionIds.map((sessionId) => sessionRevoked(userId, sessionId)),
  ]
}
