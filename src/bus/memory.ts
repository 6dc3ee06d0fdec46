// The bus of an installation that is a single process: no carrier, nothing to lose.

import { EventEmitter } from 'node:events'
import type { Log } from '../log.ts'
import type { Bus } from './bus.ts'

/** A bus within this process. Apps that shall hear each other are given the same one. */
export function openMemoryBus(log: Log): Bus {
  const topics = new EventEmitter().setMaxListeners(0)
  return {
    publish(topic, message) {
      setImmediate(() => topics.emit(`topic ${topic}`, message))
    },
    async subscribe(topic, listener) {
      const guarded = (message: unknown) => {
        try {
          listener(message)
        } catch (error) {
          log.error({ err: error, topic }, 'a listener of a topic failed')
        }
      }
      topics.on(`topic ${topic}`, guarded)
      return async () => {
        topics.off(`topic ${topic}`, guarded)
      }
    },
    onInterruption() {},
    dropped: () => 0,
    async close() {
      topics.removeAllListeners()
    },
  }
}
