// npm run generate: makes what the types need.

import { generate } from './build.ts'

await generate()
