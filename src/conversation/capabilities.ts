// Who may do what in a conversation: one table, asked by every action and told by the fields `viewerCan…`. Pure. docs/groups.md
// shows it, and a test compares the two.

/** What a member is. In a direct conversation both are MEMBER. */
export type Role = 'OWNER' | 'ADMIN' | 'MEMBER'

/** What a conversation is. */
export type Kind = 'DIRECT' | 'GROUP'

/** What not every member of every conversation may do. Reading, writing and leaving a group are everybody's. */
export type Capability =
  | 'ADD_MEMBERS'
  | 'REMOVE_MEMBERS'
  | 'EDIT_CONVERSATION'
  | 'MANAGE_INVITES'
  | 'DELETE_OTHERS_MESSAGES'
  | 'CHANGE_ROLES'
  | 'HAND_OVER'
  | 'PIN'

const ofAdmins: readonly Capability[] = [
  'ADD_MEMBERS',
  'REMOVE_MEMBERS',
  'EDIT_CONVERSATION',
  'MANAGE_INVITES',
  'DELETE_OTHERS_MESSAGES',
  'CHANGE_ROLES',
  'PIN',
]

/** The table. Of a direct conversation neither has more of it than the other. */
export const capabilities: Readonly<Record<Role | 'DIRECT', ReadonlySet<Capability>>> = {
  OWNER: new Set([...ofAdmins, 'HAND_OVER']),
  ADMIN: new Set(ofAdmins),
  MEMBER: new Set(),
  DIRECT: new Set(['PIN']),
}

/** Whether somebody with this role may do this in a conversation of this kind. */
export function can(capability: Capability, kind: Kind, role: Role): boolean {
  return capabilities[kind === 'DIRECT' ? 'DIRECT' : role].has(capability)
}

/** Whether somebody may remove another member: nobody removes the owner. */
export function canRemove(actor: Role, subject: Role): boolean {
  return can('REMOVE_MEMBERS', 'GROUP', actor) && subject !== 'OWNER'
}

/**
 * Whether somebody may give another member (or an admin oneself) this role. Admins make admins and unmake them; the role of
 * owner moves only by its owner's hand, to somebody else.
 */
export function canSetRole(actor: Role, from: Role, to: Role): boolean {
  if (from === 'OWNER') return false
  return can(to === 'OWNER' ? 'HAND_OVER' : 'CHANGE_ROLES', 'GROUP', actor)
}
