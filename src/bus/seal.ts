// Authenticates messages between nodes by a MAC over topic and bytes, with a key derived from the installation's secrets. The
// name of a topic contains the installation, the database and the epoch, so a message is valid nowhere else. A valid MAC is the
// whole check: no message makes a node read from Postgres again. Replaying a recorded message has no lasting effect:
// docs/adr/0016-signed-messages-between-nodes.md says why.

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Keys } from '../keys.ts'

/** 128 bits in base64url. */
const macLength = 22

/** Seals and opens messages. */
export type Seal = {
  /** A message with its MAC, as it goes over the bus. */
  close(topic: string, text: string): string
  /** The message without its MAC; null if none of the keys made that MAC for this topic. */
  open(topic: string, sealed: string): string | null
}

/** A seal with these keys: the first one seals, each of them opens. */
export function createSeal(keys: Keys): Seal {
  return {
    close: (topic, text) => macOf(keys[0].bus, topic, text) + text,
    open(topic, sealed) {
      if (sealed.length <= macLength) return null
      const [mac, text] = [Buffer.from(sealed.slice(0, macLength)), sealed.slice(macLength)]
      if (mac.length !== macLength) return null
      return keys.some(({ bus }) => timingSafeEqual(mac, Buffer.from(macOf(bus, topic, text)))) ? text : null
    },
  }
}

function macOf(key: KeyObject, topic: string, text: string): string {
  return createHmac('sha256', key).update(`${topic}\n`).update(text).digest('base64url').slice(0, macLength)
}
