// Preloaded into a node (`--import`) to end it at one step, and nowhere else: at the first time that CHAOS_KILL_AT is reached
// after SIGUSR2. SIGKILL to oneself is the end at once: nothing that waits to be written is written.

import { subscribe } from 'node:diagnostics_channel'
import process from 'node:process'

// biome-ignore lint/style/noProcessEnv: the test says here where the node is to end
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
