// Users of an identity provider: they appear on first sight of a token that the provider signed for us.

import { randomInt } from 'node:crypto'
import type { App } from '../app.ts'
import { ParleyError } from '../errors.ts'
import type { ProviderClaims } from '../tokens.ts'
import type { Viewer } from '../viewer.ts'
import { findDisplayNameIn, findUsernameIn, foldText } from './username.ts'

const attemptsMax = 5

/**
 * The viewer of a token's claims. Creates the user and the session where they are new: a session is the provider's `sid`,
 * or where it tells none, the single token.
 * @throws ParleyError SESSION_REVOKED
 */
export async function admit(claims: ProviderClaims, app: App): Promise<Viewer> {
  const userId = await findOrCreateUser(claims, app)
  const externalKey = claims.sid ?? claims.jti ?? `${claims.iat ?? 0}-${claims.exp}`
  const expiresAt = new Date(claims.exp * 1000)
  const session = await app.store.prisma.session.upsert({
    where: { userId_externalKey: { userId, externalKey } },
    create: { userId, externalKey, expiresAt, deviceName: claims.azp ?? 'Identity provider' },
    update: { expiresAt, lastUsedAt: new Date() },
  })
  // The account may have been deleted since it was looked up. A session that was opened after that is of no account.
  const gone = await app.store.prisma.user.count({ where: { id: userId, deletedAt: { not: null } } })
  if (session.revokedAt || gone > 0) throw new ParleyError('SESSION_REVOKED', 'The session was ended: log in again')
  return { userId, sessionId: Number(session.id) }
}

async function findOrCreateUser(claims: ProviderClaims, app: App): Promise<number> {
  const issuer = app.config.identityProvider?.issuer ?? ''
  const where = { issuer_subject: { issuer, subject: claims.sub } }
  for (let attempt = 1; ; attempt += 1) {
    const known = await app.store.prisma.user.findUnique({ where, select: { id: true } })
    if (known) return Number(known.id)
    const wanted = findUsernameIn(claims.preferred_username)
    const username = wanted && attempt === 1 ? wanted : `${(wanted ?? 'user').slice(0, 22)}-${randomInt(1e8, 1e9)}`
    const displayName = findDisplayNameIn(claims.name) ?? username
    try {
      const data = { username, displayName, searchName: foldText(displayName), issuer, subject: claims.sub }
      const user = await app.store.prisma.user.create({ data })
      return Number(user.id)
    } catch (error) {
      // The username is taken, or another request has just seen this user for the first time.
      if ((error as { code?: string }).code !== 'P2002' || attempt >= attemptsMax) throw error
    }
  }
}
