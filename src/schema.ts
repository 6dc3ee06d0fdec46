// Loads the schema files of all features; defines nothing.

import './account/schema.ts'
import './conversation/schema.ts'
import './group/schema.ts'
import './invite/schema.ts'
import './membership/schema.ts'
import './message/schema.ts'
import './sync/schema.ts'
import { builder } from './graphql/builder.ts'

/** The executable schema. */
export const schema = builder.toSchema()
