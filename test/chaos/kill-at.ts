// Preloaded into a node (`--import`) to kill it exactly at one step: when it reaches CHAOS_KILL_AT for the first time after SIGUSR2.
// SIGKILL to itself ends it at once: pending writes are lost.

import { subscribe } from 'node:diagnostics_channel'
import process from 'node:process'

// biome-ignore lint/style/noProcessEnv: the test sets here where the node dies
const step = process.env.CHAOS_KILL_AT
let isArmed = false
if (step) {
  subscribe(step, () => {
    if (isArmed) process.kill(process.pid, 'SIGKILL')
  })
  process.on('SIGUSR2', () => {
    isArmed = true
    process.stdout.write('armed\n')
  })
}
