// Loads the schema files of all features; defines nothing.

import './account/schema.ts'
import './account/mutations.ts'
import './contact/schema.ts'
import './conversation/schema.ts'
import './conversation/closed-schema.ts'
import './conversation/mutations.ts'
import './conversation/group-schema.ts'
import './conversation/invite-schema.ts'
import './conversation/membership-schema.ts'
import './message/schema.ts'
import './message/mutations.ts'
import './message/pin-schema.ts'
import './message/reaction-schema.ts'
import './message/read-marker-schema.ts'
import './presence/typing-schema.ts'
import './presence/schema.ts'
import './account/profile-schema.ts'
import './push/schema.ts'
import './push/mutations.ts'
import './search/schema.ts'
import './gateway/limits-schema.ts'
import './gateway/schema.ts'
import './sync/schema.ts'
import { builder } from './graphql/builder.ts'

/** The executable schema. */
export const schema = builder.toSchema()
