// The bus of an installation with a single process. It loses nothing, and needs no signatures because only this process
// publishes.

import { EventEmitter } from 'node:events'
import type { Clock } from '../clock.ts'
import type { Log } from '../log/log.ts'
import type { RepeatLog } from '../log/repeats.ts'
import { openMemoryBoard } from './board.ts'
import type { Bus } from './bus.ts'
import { Reception } from './reception.ts'
import { openMemoryShelf } from './shelf.ts'
import { oneSlot } from './slots.ts'

/** Opens a bus within this process. Apps that should receive each other's messages share one. */
export function openMemoryBus(clock: Clock, log: Log, repeats: RepeatLog): Bus {
  const topics = new EventEmitter().setMaxListeners(0)
  const reception = new Reception(log, repeats)
  return {
    shelf: openMemoryShelf(),
    board: openMemoryBoard(clock),
    slots: oneSlot,
    publish(topic, message) {
      setImmediate(() => topics.emit(`topic ${topic}`, message))
    },
    async subscribe(topic, form, listener) {
      const receive = (message: unknown) => reception.take(topic, form, message, listener)
      topics.on(`topic ${topic}`, receive)
      return async () => {
        topics.off(`topic ${topic}`, receive)
      }
    },
    onInterruption() {},
    dropped: () => 0,
    malformed: () => reception.malformed,
    refused: () => 0,
    async close() {
      topics.removeAllListeners()
    },
  }
}
