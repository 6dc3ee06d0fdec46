// npm run generate: generates the code that the types need.

import { generate } from './build.ts'

await generate()
