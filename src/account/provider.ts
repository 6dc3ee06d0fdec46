// Users of an identity provider. A user is created when the first valid token of the provider names them.

import { randomInt } from 'node:crypto'
import { ParleyError } from '../errors.ts'
import { fitLine } from '../graphql/line.ts'
import { sessionIdOf, type UserId, userIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import type { SessionViewer } from '../viewer.ts'
import { findByExternalId, issuerOfNew, type NamedUser } from './external-id.ts'
import { requireNotSuspended } from './suspension.ts'
import type { ProviderClaims } from './tokens.ts'
import { deviceNameMax, findDisplayNameIn, findUsernameIn, searchedAs } from './username.ts'

const attemptsMax = 5

/**
 * Finds the viewer of a token's claims. Creates the user and the session if they are new. A session is identified by the
 * provider's `sid`; without one, each token is a session of its own.
 * @throws ParleyError SESSION_REVOKED, ACCOUNT_SUSPENDED; FORBIDDEN if the user is of another tenant than the token says
 */
export async function admit(claims: ProviderClaims, app: App): Promise<SessionViewer> {
  const userId = await findOrCreateUser(claims, app)
  await requireNotSuspended(app.store.prisma, userId)
  const externalKey = claims.sid ?? claims.jti ?? `${claims.iat ?? 0}-${claims.exp}`
  const expiresAt = new Date(claims.exp * 1000)
  const session = await app.store.prisma.session.upsert({
    where: { userId_externalKey: { userId, externalKey } },
    create: { userId, externalKey, expiresAt, deviceName: fitLine(claims.azp ?? '', deviceNameMax) ?? 'Identity provider' },
    update: { expiresAt, lastUsedAt: new Date(app.clock.now()) },
  })
  // The account may have been deleted or suspended after it was looked up: then the session just opened must not be used.
  const gone = await app.store.prisma.user.count({ where: { id: userId, deletedAt: { not: null } } })
  if (session.revokedAt || gone > 0) throw new ParleyError('SESSION_REVOKED', 'The session has ended. Log in again.')
  await requireNotSuspended(app.store.prisma, userId)
  return { userId, sessionId: sessionIdOf(session.id) }
}

async function findOrCreateUser(claims: ProviderClaims, app: App): Promise<UserId> {
  const issuer = issuerOfNew(app.config)
  for (let attempt = 1; ; attempt += 1) {
    const known = await findByExternalId(app.store.reader, app.config, claims.sub)
    if (known !== null) return inTenant(known, claims, app)
    const wanted = findUsernameIn(claims.preferred_username)
    const username = wanted && attempt === 1 ? wanted : `${(wanted ?? 'user').slice(0, 22)}-${randomInt(1e8, 1e9)}`
    const displayName = findDisplayNameIn(claims.name) ?? username
    try {
      const tenant = claims.tenant ?? null
      const data = { username, displayName, ...searchedAs(displayName), issuer, subject: claims.sub, tenant }
      const user = await app.store.prisma.user.create({ data })
      return userIdOf(user.id)
    } catch (error) {
      // The username is taken, or another request has just created this user.
      if ((error as { code?: string }).code !== 'P2002' || attempt >= attemptsMax) throw error
    }
  }
}

/** A user stays in the tenant of the first token. */
function inTenant({ id, tenant }: NamedUser, claims: ProviderClaims, { config }: App): UserId {
  if (config.identityProvider?.tenantClaim && tenant !== (claims.tenant ?? null))
    throw new ParleyError('FORBIDDEN', 'The account belongs to another tenant than the token says.')
  return id
}
