// The lines of an import and of an export: docs/platform.md, "Import and export". The server checks what they say.

import { z } from 'zod'

const name = z.string().min(1, 'must not be empty')
const time = z.iso.datetime({ offset: true, error: 'must be a time like 2026-12-31T18:00:00Z' })
const user = z.strictObject({
  type: z.literal('user'),
  id: name,
  username: name.optional(),
  displayName: name.optional(),
  bio: z.string().optional(),
  tenant: name.optional(),
  data: z.unknown().optional(),
})
const conversation = z.strictObject({
  type: z.literal('conversation'),
  id: name,
  /** The two people of a direct conversation. */
  direct: z.tuple([name, name]).optional(),
  title: name.optional(),
  description: name.optional(),
  tenant: name.optional(),
  createdAt: time.optional(),
  data: z.unknown().optional(),
  members: z.array(z.strictObject({ id: name, role: z.enum(['OWNER', 'ADMIN', 'MEMBER']).optional() })).optional(),
})
const message = z.strictObject({
  type: z.literal('message'),
  id: name,
  conversation: name,
  /** Absent for a system message. */
  sender: name.optional(),
  text: z.string(),
  createdAt: time,
  replyTo: name.optional(),
  mentions: z.array(name).optional(),
  data: z.unknown().optional(),
})
const form = z.discriminatedUnion('type', [user, conversation, message], 'must have a type: user, conversation or message')

/** A line. */
export type ImportLine = z.output<typeof form>
/** A line of a type. */
export type LineOf<Type extends ImportLine['type']> = Extract<ImportLine, { type: Type }>

/** Reads a line; what is wrong with it otherwise. */
export function readLine(text: string): ImportLine | { readonly fault: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: 'it is not JSON' }
  }
  const { data, error } = form.safeParse(value)
  if (data) return data
  const [issue] = error.issues
  return { fault: [issue?.path.join('.'), issue?.message].filter(Boolean).join(': ') }
}
