// Makes and checks tokens. Parley's own are JWTs (RFC 7519) signed with HS256, and their `kid` names the secret. An access token
// lives for minutes and is valid on every node; a refresh token is valid once. Tokens of an identity provider are checked
// against its JWKS.

import type { KeyObject } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { IdentityProvider } from '../config/config.ts'
import { ParleyError } from '../errors.ts'
import { type SessionId, sessionIdOf, type UserId, userIdOf } from '../id.ts'
import { deriveKeys, type Keys, type Secrets } from '../keys.ts'
import { tenantForm } from './tenant.ts'

declare module '../parts.ts' {
  interface App {
    readonly tokens: Tokens
  }
}

const issuer = 'parley'
const types = { access: 'at+jwt', refresh: 'rt+jwt' } as const
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

const accessClaims = z.object({
  sub: z.coerce.number().int().transform(userIdOf),
  sid: z.number().int().transform(sessionIdOf),
  exp: z.number(),
})
const refreshClaims = z.object({
  sub: z.coerce.number().int().transform(userIdOf),
  sid: z.number().int().transform(sessionIdOf),
  gen: z.number().int(),
})
const providerClaims = z.object({
  sub: z.string().min(1).max(255),
  exp: z.number(),
  sid: z.string().max(255).optional(),
  jti: z.string().max(255).optional(),
  iat: z.number().optional(),
  preferred_username: z.string().optional(),
  name: z.string().optional(),
  azp: z.string().optional(),
  /** From the claim that the settings name. */
  tenant: tenantForm.optional(),
})

/** The claims of Parley's access tokens. `exp` is in seconds since 1970. */
export type AccessClaims = z.output<typeof accessClaims>
/** The claims of a refresh token. `gen` is its generation; only the newest one is valid. */
export type RefreshClaims = z.output<typeof refreshClaims>
/** The claims of an identity provider's tokens that Parley uses. */
export type ProviderClaims = z.output<typeof providerClaims>

/** A generation of refresh tokens: its number in the session, and when its token expires. */
export type RefreshGeneration = { readonly generation: number; readonly expiresAt: Date }

/** Makes and checks tokens. Checks throw ParleyError UNAUTHENTICATED or TOKEN_EXPIRED. */
export type Tokens = {
  signAccess(userId: UserId, sessionId: SessionId): Promise<{ token: string; expiresAt: Date }>
  /** The token of a generation: the same one at any time and on any node. */
  signRefresh(userId: UserId, sessionId: SessionId, generation: RefreshGeneration): Promise<string>
  verifyRefresh(token: string): Promise<RefreshClaims>
  /** Checks an access token of Parley or of the identity provider; its issuer decides which. */
  verifyAccess(token: string): Promise<{ own: AccessClaims } | { provider: ProviderClaims }>
}

/**
 * Makes tokens that the first of these secrets signs, and that are valid if any of them signed. Tokens of `provider` are accepted
 * too; its keys are fetched when first needed.
 */
export function createTokens(secrets: Secrets, accessTtlS: number, provider: IdentityProvider | null, { now }: Clock): Tokens {
  const keys = deriveKeys(secrets)
  const keySet = provider && createRemoteJWKSet(provider.jwksUrl, { timeoutDuration: 3_000, cooldownDuration: 10_000 })
  const sign = (claims: Record<string, number>, userId: UserId, typ: string, expiresAt: Date) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ, kid: keys[0].id })
      .setIssuer(issuer)
      .setAudience(issuer)
      .setSubject(String(userId))
      .setExpirationTime(expiresAt)
      .sign(keys[0].token)
  const verifyOwn = (token: string, typ: string) =>
    jwtVerify(token, ({ kid }) => keyNamed(keys, kid), {
      issuer,
      audience: issuer,
      typ,
      algorithms: ['HS256'],
      currentDate: new Date(now()),
    })

  return {
    async signAccess(userId, sessionId) {
      const expiresAt = new Date(Math.floor(now() / 1000 + accessTtlS) * 1000)
      return {
        token: await sign({ sid: sessionId, iat: Math.floor(now() / 1000) }, userId, types.access, expiresAt),
        expiresAt,
      }
    },
    signRefresh: (userId, sessionId, { generation, expiresAt }) =>
      sign({ sid: sessionId, gen: generation }, userId, types.refresh, expiresAt),
    verifyRefresh: (token) => withParleyErrors(async () => refreshClaims.parse((await verifyOwn(token, types.refresh)).payload)),
    verifyAccess: (token) =>
      withParleyErrors(async () => {
        if (!provider || !keySet || decodeJwt(token).iss !== provider.issuer) {
          return { own: accessClaims.parse((await verifyOwn(token, types.access)).payload) }
        }
        const { payload } = await jwtVerify(token, keySet, {
          issuer: provider.issuer,
          audience: provider.audience,
          algorithms: asymmetric,
          clockTolerance: 5,
          currentDate: new Date(now()),
        })
        const { tenantClaim } = provider
        return { provider: providerClaims.parse({ ...payload, tenant: tenantClaim === null ? undefined : payload[tenantClaim] }) }
      }),
  }
}

/** The key that signed a token, by its `kid`. */
function keyNamed(keys: Keys, kid: string | undefined): KeyObject {
  const key = keys.find(({ id }) => id === kid)
  if (!key) throw new errors.JWKSNoMatchingKey()
  return key.token
}

/** Runs a check, and turns its errors into ParleyErrors. If the provider's keys cannot be fetched, that is UNAVAILABLE. */
async function withParleyErrors<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new ParleyError('TOKEN_EXPIRED', 'The access token has expired.')
    if (isOutOfReach(error)) {
      throw new ParleyError('UNAVAILABLE', 'The identity provider does not answer.', { cause: error, retryAfterMs: 3_000 })
    }
    if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
      throw new ParleyError('UNAUTHENTICATED', 'The access token was not issued by this server, or is not meant for it.', {
        cause: error,
      })
    }
    throw error
  }
}

/** Whether the provider's key set could not be fetched: a time-out, no connection, or an invalid answer. */
function isOutOfReach(error: unknown): boolean {
  if (error instanceof errors.JOSEError) return error.code === 'ERR_JWKS_TIMEOUT' || error.code === 'ERR_JOSE_GENERIC'
  return error instanceof TypeError && /fetch/.test(error.message)
}
