// Tokens: what proves a session. Parley's own are JWTs (RFC 7519) signed with HS256; an access token lives for minutes and
// is good on every node, a refresh token is good once. Tokens of an identity provider are checked against its JWKS.

import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { IdentityProvider } from './config.ts'
import { ParleyError } from './errors.ts'

const issuer = 'parley'
const types = { access: 'at+jwt', refresh: 'rt+jwt' } as const
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

const accessClaims = z.object({ sub: z.coerce.number().int(), sid: z.number().int(), exp: z.number() })
const refreshClaims = z.object({ sub: z.coerce.number().int(), sid: z.number().int(), gen: z.number().int() })
const providerClaims = z.object({
  sub: z.string().min(1).max(255),
  exp: z.number(),
  sid: z.string().max(255).optional(),
  jti: z.string().max(255).optional(),
  iat: z.number().optional(),
  preferred_username: z.string().optional(),
  name: z.string().optional(),
  azp: z.string().optional(),
})

/** What an access token of ours says. `exp` is in seconds since 1970. */
export type AccessClaims = z.output<typeof accessClaims>
/** What a refresh token says: `gen` is the generation, of which only the newest is good. */
export type RefreshClaims = z.output<typeof refreshClaims>
/** What a token of an identity provider says, as far as it is used. */
export type ProviderClaims = z.output<typeof providerClaims>

/** Makes and checks tokens. Checks throw ParleyError UNAUTHENTICATED or TOKEN_EXPIRED. */
export type Tokens = {
  signAccess(userId: number, sessionId: number): Promise<{ token: string; expiresAt: Date }>
  signRefresh(userId: number, sessionId: number, generation: number, expiresAt: Date): Promise<string>
  verifyRefresh(token: string): Promise<RefreshClaims>
  /** Checks an access token of ours or of the identity provider, told apart by their issuer. */
  verifyAccess(token: string): Promise<{ own: AccessClaims } | { provider: ProviderClaims }>
}

/** Tokens signed with this secret; those of `provider` are accepted too. Fetches the provider's keys when first needed. */
export function createTokens(secret: string, accessTtlS: number, provider: IdentityProvider | null): Tokens {
  const key = new TextEncoder().encode(secret)
  const keySet = provider && createRemoteJWKSet(provider.jwksUrl, { timeoutDuration: 3_000, cooldownDuration: 10_000 })
  const sign = (claims: Record<string, number>, userId: number, typ: string, expiresAt: Date) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ })
      .setIssuer(issuer)
      .setAudience(issuer)
      .setSubject(String(userId))
      .setIssuedAt()
      .setExpirationTime(expiresAt)
      .sign(key)
  const verifyOwn = (token: string, typ: string) =>
    jwtVerify(token, key, { issuer, audience: issuer, typ, algorithms: ['HS256'] })

  return {
    async signAccess(userId, sessionId) {
      const expiresAt = new Date(Math.floor(Date.now() / 1000 + accessTtlS) * 1000)
      return { token: await sign({ sid: sessionId }, userId, types.access, expiresAt), expiresAt }
    },
    signRefresh: (userId, sessionId, generation, expiresAt) =>
      sign({ sid: sessionId, gen: generation }, userId, types.refresh, expiresAt),
    verifyRefresh: (token) => told(async () => refreshClaims.parse((await verifyOwn(token, types.refresh)).payload)),
    verifyAccess: (token) =>
      told(async () => {
        if (!provider || !keySet || decodeJwt(token).iss !== provider.issuer) {
          return { own: accessClaims.parse((await verifyOwn(token, types.access)).payload) }
        }
        const { payload } = await jwtVerify(token, keySet, {
          issuer: provider.issuer,
          audience: provider.audience,
          algorithms: asymmetric,
          clockTolerance: 5,
        })
        return { provider: providerClaims.parse(payload) }
      }),
  }
}

/** Runs a check and tells its failure in our words. The provider's keys being out of reach is not the token's fault. */
async function told<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new ParleyError('TOKEN_EXPIRED', 'The token has expired')
    if (isOutOfReach(error)) {
      throw new ParleyError('UNAVAILABLE', 'The identity provider does not answer', { cause: error, retryAfterMs: 3_000 })
    }
    if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
      throw new ParleyError('UNAUTHENTICATED', 'The token was not issued by this server, or is not for it', { cause: error })
    }
    throw error
  }
}

/** Whether the provider's key set could not be had: a time-out, no connection, or an answer that is none. */
function isOutOfReach(error: unknown): boolean {
  if (error instanceof errors.JOSEError) return error.code === 'ERR_JWKS_TIMEOUT' || error.code === 'ERR_JOSE_GENERIC'
  return error instanceof TypeError && /fetch/.test(error.message)
}
