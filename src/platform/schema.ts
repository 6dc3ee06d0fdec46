// The schema of server keys. Only a server key with the scope KEYS may use it: operators have the command line.

import { z } from 'zod'
import { tenantForm, tenantRule } from '../account/tenant.ts'
import { notFound } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { requireKey } from '../graphql/context.ts'
import { parseInput } from '../graphql/input.ts'
import { encodeId, parseId } from '../id.ts'
import { type ServerKeyScope, serverKeyScopes } from '../viewer.ts'
import { audited } from './audit.ts'
import { createServerKey, revokeServerKey } from './key-actions.ts'
import { keyName, keyNameMax, readKeys, readOpenKeys, type ServerKeyRow } from './server-keys.ts'

const scopeNames = Object.keys(serverKeyScopes) as ServerKeyScope[]

const ServerKeyScopeEnum = builder.enumType('ServerKeyScope', {
  description: 'What a server key may be made for.',
  values: Object.fromEntries(scopeNames.map((name) => [name, { description: serverKeyScopes[name] }])) as Record<
    ServerKeyScope,
    { description: string }
  >,
})

const ServerKey = builder.objectRef<ServerKeyRow>('ServerKey').implement({
  description: 'A key with which the backend of a product calls Parley. Visible only to keys with the scope KEYS.',
  fields: (t) => ({
    id: t.id({ description: 'The ID of the key, which is no secret.', resolve: ({ id }) => encodeId('ServerKey', id) }),
    name: t.exposeString('name', { description: 'What the key is for, in the words of who made it.' }),
    scopes: t.field({
      type: [ServerKeyScopeEnum],
      description: 'What the key may do.',
      resolve: ({ scopes }) => [...scopes],
    }),
    tenant: t.exposeString('tenant', {
      nullable: true,
      description: 'The only tenant that the key is for; null if it is for the whole installation.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the key was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key was last used, to the minute; null if never.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key was revoked; null if it works.',
    }),
  }),
})

builder.queryField('serverKeys', (t) =>
  t.field({
    type: [ServerKey],
    description:
      'The server keys that work, the oldest first; with a key for one tenant, those of that tenant. Needs a server key with the scope KEYS. Errors: FORBIDDEN.',
    complexity: 100,
    resolve: (_root, _args, context) => {
      const { tenant } = requireKey(context, 'KEYS')
      return readOpenKeys(context.reader, tenant)
    },
  }),
)

const CreateServerKeyInput = builder.inputType('CreateServerKeyInput', {
  description: 'Input for `createServerKey`.',
  fields: (t) => ({
    name: t.string({ description: `What the key is for: 1 to ${keyNameMax} characters in one line.` }),
    scopes: t.field({
      type: [ServerKeyScopeEnum],
      description: 'What the new key may do: one scope or more, of those that the calling key has.',
    }),
    tenant: t.string({
      required: false,
      description: `The only tenant that the new key is for: ${tenantRule}. By default that of the calling key.`,
    }),
  }),
})
const createForm = z.object({
  name: keyName,
  scopes: z.array(z.custom<ServerKeyScope>()).min(1, 'must contain at least one scope').max(scopeNames.length),
  tenant: tenantForm.nullish(),
})
type CreatedServerKey = { readonly serverKey: ServerKeyRow; readonly token: string }
const CreateServerKeyPayload = builder.objectRef<CreatedServerKey>('CreateServerKeyPayload').implement({
  description: 'The result of `createServerKey`.',
  fields: (t) => ({
    serverKey: t.expose('serverKey', { type: ServerKey, description: 'The new key.' }),
    token: t.exposeString('token', {
      description: 'The key itself: send it as `Authorization: Bearer <token>`. It is shown only here, and cannot be read again.',
    }),
  }),
})

const RevokeServerKeyInput = builder.inputType('RevokeServerKeyInput', {
  description: 'Input for `revokeServerKey`.',
  fields: (t) => ({ serverKeyId: t.id({ description: 'The ID of the key.' }) }),
})
const RevokeServerKeyPayload = builder.objectRef<{ readonly serverKey: ServerKeyRow }>('RevokeServerKeyPayload').implement({
  description: 'The result of `revokeServerKey`.',
  fields: (t) => ({
    serverKey: t.expose('serverKey', { type: ServerKey, description: 'The key, with `revokedAt`.' }),
  }),
})

builder.mutationFields((t) => ({
  createServerKey: t.field({
    type: CreateServerKeyPayload,
    description:
      'Makes a server key. Needs a server key with the scope KEYS; operators use `parley server-keys`. Errors: BAD_INPUT, FORBIDDEN, LIMIT_EXCEEDED.',
    args: { input: t.arg({ type: CreateServerKeyInput, description: 'The name, the scopes and the tenant of the key.' }) },
    resolve: async (_root, { input }, context) => {
      const by = requireKey(context, 'KEYS')
      const { name, scopes, tenant } = parseInput(createForm, input)
      const { id, token } = await createServerKey(by, { name, scopes, tenant: tenant ?? by.tenant }, context.app)
      await audited(context, 'createServerKey', [encodeId('ServerKey', id)])
      const [serverKey] = await readKeys(context.reader, [id])
      if (!serverKey) throw notFound('ServerKey')
      return { serverKey, token }
    },
  }),
  revokeServerKey: t.field({
    type: RevokeServerKeyPayload,
    description:
      'Revokes a server key: every node refuses it and ends its connections within a second. Needs a server key with the scope KEYS, which may be the same one. Does nothing if the key is already revoked. Errors: NOT_FOUND, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: RevokeServerKeyInput, description: 'The key to revoke.' }) },
    resolve: async (_root, { input }, context) => {
      const by = requireKey(context, 'KEYS')
      const id = parseId('ServerKey', input.serverKeyId, 'input.serverKeyId')
      await audited(context, 'revokeServerKey', [input.serverKeyId])
      await revokeServerKey(by, id, context.app)
      const [serverKey] = await readKeys(context.reader, [id])
      if (!serverKey) throw notFound('ServerKey')
      return { serverKey }
    },
  }),
}))
