// `parley users`: what operators do with accounts.

import { randomBytes } from 'node:crypto'
import { roles } from '../account/moderators.ts'
import { resetPassword, setRole, suspendUser, unsuspendUser } from '../account/operator-actions.ts'
import { removeAccount } from '../account/profile-actions.ts'
import { normaliseUsername } from '../account/username.ts'
import { StartError } from '../errors.ts'
import { encodeId, type UserId, userIdOf } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import { type Command, noMore, onlyOne, readArguments, readTime, UsageError } from './command.ts'
import { noteInAudit, type OperatorApp, withOperator, withStore } from './operator.ts'

type ListedUser = {
  readonly id: UserId
  readonly username: string
  readonly displayName: string
  readonly role: string
  readonly createdAt: Date
  readonly sessions: number
  readonly isSuspended: boolean
  readonly suspendedUntil: Date | null
  readonly reason: string | null
}

const listMax = 1_000
const list = statement<ListedUser>(
  'operator_users',
  `select u.id, u.username, u.display_name as "displayName", u.role, u.created_at as "createdAt",
          (select count(*)::int from session s where s.user_id = u.id and s.revoked_at is null and s.expires_at > now()) as sessions,
          u.suspended_at is not null and (u.suspended_until is null or u.suspended_until > now()) as "isSuspended",
          u.suspended_until as "suspendedUntil", u.suspension_reason as reason
     from "user" u
    where u.deleted_at is null and ($1 = '' or u.username = $1 or u.search_text like '%' || $2 || '%')
    order by u.id limit ${listMax + 1}`,
)
const byName = statement<{ id: UserId; passwordHash: string | null }>(
  'operator_user',
  'select id, password_hash as "passwordHash" from "user" where username = $1 and deleted_at is null',
)

type Act = (userId: UserId, given: readonly string[], username: string) => Promise<string>

const acts: Readonly<Record<string, Act>> = {
  async suspend(userId, given, username) {
    const { values, positionals } = readArguments(given, { reason: { type: 'string' }, until: { type: 'string' } })
    noMore(positionals)
    const until = values.until === undefined ? null : readTime(values.until)
    await withOperator((app) => suspendUser(userId, { reason: values.reason ?? null, until }, app))
    return `${username} is suspended ${until === null ? 'until you unsuspend the account' : `until ${until.toISOString()}`}. All sessions have ended.`
  },
  async unsuspend(userId, given, username) {
    noMore(given)
    await withStore((store) => unsuspendUser(userId, { store }))
    return `${username} may log in again.`
  },
  async role(userId, [text, ...others], username) {
    noMore(others)
    const role = roles.find((one) => one === text)
    if (!role) throw new UsageError(`The role must be ${roles.join(', ')}.`)
    await withStore((store) => setRole(userId, role, { store }))
    return `${username} is ${role} now.`
  },
  async 'reset-password'(userId, given, username) {
    noMore(given)
    const password = randomBytes(15).toString('base64url')
    await withOperator((app) => resetPassword(userId, password, app))
    return `The new password of ${username} is ${password}\nAll sessions have ended. Tell the user to change the password.`
  },
  async delete(userId, given, username) {
    const { values, positionals } = readArguments(given, { yes: { type: 'boolean' } })
    noMore(positionals)
    if (!values.yes) throw new UsageError(`This deletes ${username} for ever. To confirm, add --yes.`)
    await withOperator((app) => erase(userId, username, app))
    return `${username} is deleted. The messages stay in their conversations, without the name.`
  },
}

export const users: Command = {
  summary: 'Lists users; suspends, promotes and deletes them; resets passwords.',
  usage: [
    'list [TEXT]',
    'suspend USERNAME [--until TIME] [--reason TEXT]',
    'unsuspend USERNAME',
    `role USERNAME ${roles.join('|')}`,
    'reset-password USERNAME',
    'delete USERNAME --yes',
  ],
  help: `list shows at most ${listMax} users, one JSON object per line. TIME: 7d, 12h, 2026-12-31. The user reads the reason at the next log-in.`,
  async run([action, ...given]) {
    if (action === 'list') return listUsers(given)
    const act = action !== undefined && Object.hasOwn(acts, action) ? acts[action] : undefined
    if (!act) throw new UsageError('Unknown or missing action.')
    const [name, ...others] = given
    const username = normaliseUsername(onlyOne(name === undefined ? [] : [name], 'username'))
    const user = await withStore(({ reader }) => findByName(reader, username))
    const said = await act(user.id, others, username)
    await noteInAudit(`users ${action}`, [encodeId('User', userIdOf(user.id))])
    return said
  },
}

async function listUsers(given: readonly string[]): Promise<string> {
  if (given.length > 1) throw new UsageError('Give at most one text to search for.')
  const [text = ''] = given
  const found = await withStore(({ reader }) => reader.rows(list, [normaliseUsername(text), text.toLowerCase()]))
  const lines = found.slice(0, listMax).map((user) => JSON.stringify({ ...user, id: Number(userIdOf(user.id)) }))
  return [...lines, found.length > listMax ? `more than ${listMax} users: filter by a text` : `${found.length} users`].join('\n')
}

async function findByName(reader: Reader, username: string) {
  const [user] = await reader.rows(byName, [username])
  if (!user) throw new StartError(`There is no user ${username}.`)
  return user
}

async function erase(userId: UserId, username: string, app: OperatorApp): Promise<void> {
  const { passwordHash } = await findByName(app.store.reader, username)
  await removeAccount({ userId, sessionId: null }, passwordHash, app)
}
