// Settings of the Prisma command line for the stock recipe; see the one at the root.
import process from 'node:process'
import { defineConfig } from 'prisma/config'

// biome-ignore lint/style/noProcessEnv: the Prisma command line reads its engine's path from here
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath

export default defineConfig({ schema: 'schema.prisma' })
