// Settings of the Prisma command line. The server itself never reads this file.
// `prisma generate` looks for a native schema engine and would download one; it never runs it, so any executable will do
// and generating works offline. The migrations are applied by src/store/migrate.ts.
import process from 'node:process'
import { defineConfig } from 'prisma/config'

// biome-ignore lint/style/noProcessEnv: the Prisma command line reads its engine's path from here
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // biome-ignore lint/style/noProcessEnv: `prisma migrate` and `prisma studio` are pointed at a database by the person who runs them
  datasource: { url: process.env.DATABASE_URL ?? 'postgresql://localhost/parley' },
})
