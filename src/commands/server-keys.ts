// `parley server-keys`: the keys with which the backend of a product calls Parley.

import { tenantForm, tenantRule } from '../account/tenant.ts'
import { encodeId, parseId } from '../id.ts'
import { createServerKey, revokeServerKey } from '../platform/key-actions.ts'
import { keyName, readOpenKeys } from '../platform/server-keys.ts'
import { type ServerKeyScope, serverKeyScopes } from '../viewer.ts'
import { type Command, noMore, onlyOne, readArguments, UsageError } from './command.ts'
import { noteInAudit, withOperator, withStore } from './operator.ts'

const scopeNames = Object.keys(serverKeyScopes) as ServerKeyScope[]

export const serverKeys: Command = {
  summary: 'Makes, lists and revokes the keys of a backend.',
  usage: ['create NAME --scopes SCOPE[,SCOPE…] [--tenant TENANT]', 'list', 'revoke ID'],
  help: [
    'create prints the key, once: your backend sends it as `Authorization: Bearer <key>` (docs/platform.md).',
    ...scopeNames.map((scope) => `  ${scope.toLowerCase().padEnd(10)} ${serverKeyScopes[scope]}`),
  ].join('\n'),
  async run([action, ...given]) {
    if (action === 'create') return create(given)
    if (action === 'revoke') return revoke(onlyOne(given, 'ID of a server key'))
    if (action !== 'list' || given.length > 0) throw new UsageError('Unknown or missing action, or too many arguments.')
    const open = await withStore(({ reader }) => readOpenKeys(reader, null))
    return open
      .map(({ id, name, scopes, tenant, lastUsedAt }) => {
        const use = lastUsedAt === null ? 'never used' : `last used ${lastUsedAt.toISOString()}`
        const whose = tenant === null ? '' : `  tenant ${tenant}`
        return `${encodeId('ServerKey', id)}  ${name}  ${scopes.join(',').toLowerCase()}${whose}  ${use}`
      })
      .concat(`${open.length} server keys`)
      .join('\n')
  },
}

async function create(given: readonly string[]): Promise<string> {
  const { values, positionals } = readArguments(given, { scopes: { type: 'string', default: '' }, tenant: { type: 'string' } })
  const [typed = '', ...others] = positionals
  noMore(others)
  const { data: name, error } = keyName.safeParse(typed)
  if (name === undefined) throw new UsageError(`The name ${error.issues[0]?.message}.`)
  const scopes = values.scopes.split(',').map((text) => {
    const scope = scopeNames.find((one) => one === text.trim().toUpperCase())
    if (!scope) throw new UsageError(`The scopes are ${scopeNames.join(', ').toLowerCase()}.`)
    return scope
  })
  const tenant = values.tenant ?? null
  if (tenant !== null && !tenantForm.safeParse(tenant).success) throw new UsageError(`A tenant has ${tenantRule}.`)
  const { id, token } = await withStore((store) => createServerKey(null, { name, scopes, tenant }, { store }))
  await noteInAudit('server-keys create', [encodeId('ServerKey', id)])
  return token
}

async function revoke(text: string): Promise<string> {
  const id = parseId('ServerKey', text, 'ID')
  await withOperator((app) => revokeServerKey(null, id, app))
  await noteInAudit('server-keys revoke', [text])
  return `The server key ${text} is revoked.`
}
