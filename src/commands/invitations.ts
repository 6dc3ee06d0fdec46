// `parley invitations`: who may sign up where PARLEY_SIGN_UP is `invited`.

import { createInvitation, readInvitations, revokeInvitation } from '../account/invitations.ts'
import { StartError } from '../errors.ts'
import { type Command, noMore, onlyOne, readArguments, readTime, UsageError } from './command.ts'
import { withStore } from './operator.ts'

const usesMax = 1_000_000

export const invitations: Command = {
  summary: 'Makes, lists and revokes invitations to sign up.',
  usage: ['create [--uses N] [--expires TIME]', 'list', 'revoke ID'],
  help: 'They are needed where PARLEY_SIGN_UP is `invited`. create prints a token, once; clients pass it as signUp(input: {invitation}).\nBy default it works once, for 7 days. TIME: 7d, 12h, 2026-12-31.',
  async run([action, ...given]) {
    if (action === 'create') return create(given)
    if (action === 'revoke') return revoke(onlyOne(given, 'invitation ID'))
    if (action !== 'list' || given.length > 0) throw new UsageError('Unknown or missing action, or too many arguments.')
    const open = await withStore((store) => readInvitations({ store }))
    return open
      .map(({ id, uses, maxUses, expiresAt }) => `${id}  used ${uses} of ${maxUses} times, until ${expiresAt.toISOString()}`)
      .concat(`${open.length} open invitations`)
      .join('\n')
  },
}

async function create(given: readonly string[]): Promise<string> {
  const options = { uses: { type: 'string', default: '1' }, expires: { type: 'string', default: '7d' } } as const
  const { values, positionals } = readArguments(given, options)
  const uses = Number(values.uses)
  noMore(positionals)
  if (!Number.isInteger(uses) || uses < 1 || uses > usesMax) throw new UsageError(`--uses must be 1 to ${usesMax}.`)
  const expiresAt = readTime(values.expires)
  return withStore((store) => createInvitation(uses, expiresAt, { store }))
}

async function revoke(text: string): Promise<string> {
  const id = Number(text)
  if (!Number.isSafeInteger(id) || id < 1) throw new UsageError(`${text} is not an invitation ID.`)
  const isRevoked = await withStore((store) => revokeInvitation(id, { store }))
  if (!isRevoked) throw new StartError(`There is no open invitation ${id}.`)
  return `The invitation ${id} is revoked.`
}
