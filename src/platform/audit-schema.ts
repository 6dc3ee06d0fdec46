// The schema of the audit log.

import { requireAdmin } from '../account/moderators.ts'
import { badInput, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { pageCost } from '../graphql/page.ts'
import { encodeId, findId } from '../id.ts'
import { auditActors } from './audit.ts'
import { type AuditRow, readAuditLog } from './audit-access.ts'

const actorMeanings = {
  KEY: 'A server key, for itself or on behalf of a user.',
  OPERATOR: 'An operator, on the command line.',
  USER: 'A moderator.',
} as const

const AuditActor = builder.enumType('AuditActor', {
  description: 'Who did something that is in the audit log.',
  values: Object.fromEntries(auditActors.map((name) => [name, { description: actorMeanings[name] }])) as Record<
    (typeof auditActors)[number],
    { description: string }
  >,
})

const AuditEntry = builder.objectRef<AuditRow>('AuditEntry').implement({
  description: 'An entry of the audit log. It has IDs alone: who did what, about what.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it was recorded: just before it was done.' }),
    actor: t.expose('actor', { type: AuditActor, description: 'Who did it.' }),
    serverKeyId: t.id({
      nullable: true,
      description: 'The ID of the server key; null if none was used.',
      resolve: ({ keyId }) => (keyId === null ? null : encodeId('ServerKey', keyId)),
    }),
    userId: t.id({
      nullable: true,
      description: 'The ID of the moderator, or of the user on whose behalf the server key acted; null if there is none.',
      resolve: ({ userId }) => (userId === null ? null : encodeId('User', userId)),
    }),
    action: t.exposeString('action', { description: 'The mutation, the command, or `readReport`: a look at what was reported.' }),
    subjects: t.idList({ description: 'The IDs of what it is about.', resolve: ({ subjects }) => [...subjects] }),
  }),
})

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntry,
      description:
        'What moderators, server keys and operators have done, the oldest first. Only for users with the role ADMIN, and for server keys with the scope MODERATE, of no tenant. Errors: BAD_INPUT, FORBIDDEN.',
      complexity: pageCost,
      args: {
        subject: t.arg.id({
          required: false,
          description: 'Only entries about this object, such as a user who appeals against a suspension.',
        }),
      },
      resolve: async (_root, { subject, ...args }, context) => {
        const { tenant } = await requireAdmin(context)
        if (tenant !== null) throw new ParleyError('FORBIDDEN', 'The audit log is of the whole installation, not of one tenant.')
        if (subject != null && findId(subject) === null) throw badInput('subject', 'is not an ID')
        return readAuditLog(context, subject ?? null, args)
      },
    },
    { name: 'AuditLogConnection', description: 'A page of the audit log.' },
    { name: 'AuditLogEdge', description: 'An entry on a page.' },
  ),
)
