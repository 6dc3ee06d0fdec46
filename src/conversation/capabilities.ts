// The capabilities of each role: one table that every action checks and the fields `viewerCan…` show. Pure. docs/groups.md has
// the same table, and a test compares the two.

/** The role of a member. In a direct conversation, both are MEMBER. */
export type Role = 'OWNER' | 'ADMIN' | 'MEMBER'

/** The kind of a conversation. */
export type Kind = 'DIRECT' | 'GROUP'

/** What only some members may do. Every member may read and write, and leave a group. */
export type Capability =
  | 'ADD_MEMBERS'
  | 'REMOVE_MEMBERS'
  | 'EDIT_CONVERSATION'
  | 'MANAGE_INVITES'
  | 'DELETE_OTHERS_MESSAGES'
  | 'CHANGE_ROLES'
  | 'HAND_OVER'
  | 'PIN'
  | 'ANNOUNCE'

const ofAdmins: readonly Capability[] = [
  'ADD_MEMBERS',
  'REMOVE_MEMBERS',
  'EDIT_CONVERSATION',
  'MANAGE_INVITES',
  'DELETE_OTHERS_MESSAGES',
  'CHANGE_ROLES',
  'PIN',
  'ANNOUNCE',
]

/** The table. In a direct conversation, both users have the same capabilities. */
export const capabilities: Readonly<Record<Role | 'DIRECT', ReadonlySet<Capability>>> = {
  OWNER: new Set([...ofAdmins, 'HAND_OVER']),
  ADMIN: new Set(ofAdmins),
  MEMBER: new Set(),
  DIRECT: new Set(['PIN']),
}

/** Whether a role has a capability in a conversation of this kind. */
export function can(capability: Capability, kind: Kind, role: Role): boolean {
  return capabilities[kind === 'DIRECT' ? 'DIRECT' : role].has(capability)
}

/** Whether a member may remove another member. Nobody can remove the owner. */
export function canRemove(actor: Role, subject: Role): boolean {
  return can('REMOVE_MEMBERS', 'GROUP', actor) && subject !== 'OWNER'
}

/**
 * Whether a member may give another member this role; admins may also demote themselves. Admins promote and demote admins; only
 * the owner can hand over ownership, and only to another member.
 */
export function canSetRole(actor: Role, from: Role, to: Role): boolean {
  if (from === 'OWNER') return false
  return can(to === 'OWNER' ? 'HAND_OVER' : 'CHANGE_ROLES', 'GROUP', actor)
}
