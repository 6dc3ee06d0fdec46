// Loads the schema files of all features; defines nothing.

import './account/schema.ts'
import './account/mutations.ts'
import './contact/schema.ts'
import './conversation/schema.ts'
import './conversation/mutations.ts'
import './group/schema.ts'
import './invite/schema.ts'
import './membership/schema.ts'
import './message/schema.ts'
import './message/mutations.ts'
import './pin/schema.ts'
import './reaction/schema.ts'
import './reading/schema.ts'
import './typing/schema.ts'
import './presence/schema.ts'
import './people/schema.ts'
import './search/schema.ts'
import './limits/schema.ts'
import './gateway/schema.ts'
import './sync/schema.ts'
import { builder } from './graphql/builder.ts'

/** The executable schema. */
export const schema = builder.toSchema()
