// External ids: the ids that the backend of a product uses for its users. Where an identity provider is configured, they are the
// `sub` of its tokens.

import { z } from 'zod'
import type { Config } from '../config/config.ts'
import { badInput } from '../errors.ts'
import { findId, parseId, type UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'

/** The issuer of users that the backend has made where no identity provider is configured. */
const backendIssuer = 'backend'

/** The longest external id, in characters. */
export const externalIdMax = 255

/** The form of an external id that a backend gives. One that looks like a global id could not be told from it. */
export const externalIdForm = z
  .string()
  .min(1, 'must not be empty')
  .max(externalIdMax, `must have at most ${externalIdMax} characters`)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must not contain control characters')
  .refine((text) => findId(text) === null, 'must not have the form of a global ID')

/** What descriptions say about external ids. */
export const externalIdRule = `1 to ${externalIdMax} characters, and not a global ID`

type Provided = Pick<Config, 'identityProvider'>

/** The issuer of users that the backend makes: an external id is the `sub` of the identity provider's tokens. */
export const issuerOfNew = ({ identityProvider }: Provided) => identityProvider?.issuer ?? backendIssuer

/** The issuers in whose names a user may be known, the first one first: a provider may have been configured later. */
export const issuersOf = ({ identityProvider }: Provided) =>
  identityProvider ? [identityProvider.issuer, backendIssuer] : [backendIssuer]

/** A user that an external id names. */
export type NamedUser = { readonly id: UserId; readonly tenant: string | null }

const byExternalId = statement<NamedUser>(
  'user_by_external_id',
  `select id, tenant from "user" where issuer = any($1) and subject = $2 and deleted_at is null order by array_position($1, issuer) limit 1`,
)

/** Finds a user by an external id; null if there is none. */
export async function findByExternalId(reader: Reader, config: Provided, externalId: string): Promise<NamedUser | null> {
  const [user] = await reader.rows(byExternalId, [issuersOf(config), externalId])
  return user ?? null
}

/**
 * The id of a user that a backend names, by a global id or an external id; null if there is none.
 * @param argument where the name was given
 * @throws ParleyError BAD_INPUT if it can be neither
 */
export async function findNamed(reader: Reader, config: Provided, name: string, argument: string): Promise<UserId | null> {
  if (findId(name)?.type === 'User') return parseId('User', name, argument)
  if (name === '' || name.length > externalIdMax || name.includes('\0')) throw badInput(argument, 'must name a user')
  return (await findByExternalId(reader, config, name))?.id ?? null
}
