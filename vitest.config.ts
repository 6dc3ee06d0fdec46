import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Node loads graphql's CommonJS file, Vite would load the other one; two copies refuse each other's schemas.
  resolve: {
    alias: [{ find: /^graphql$/, replacement: fileURLToPath(new URL('node_modules/graphql/index.js', import.meta.url)) }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/servers.ts'],
    setupFiles: ['test/support/setup.ts'],
    pool: 'forks',
    // Loading the server's modules takes two seconds: a worker does it once, and not for every file.
    isolate: false,
    // Two cores: more workers would only make each test slower than the limits that it checks.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    teardownTimeout: 20_000,
    // As long as the other waits of tests: a busy machine takes longer than the second that it would wait.
    expect: { poll: { timeout: 30_000 } },
  },
})
