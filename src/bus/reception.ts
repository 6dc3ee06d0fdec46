// The receiving end of a bus: checks messages before listeners get them. A message without a valid signature comes from another
// program, or from a node with other secrets. A signed message without the form of its topic is a bug in Parley, never a
// client's fault: it is logged as an error, and tests fail on the count.

import type { Log } from '../log/log.ts'
import type { RepeatLog } from '../log/repeats.ts'
import type { Form } from './bus.ts'
import type { Seal } from './seal.ts'

/** Gives valid messages to listeners, and counts the others. */
export class Reception {
  readonly #log: Log
  readonly #repeats: RepeatLog
  readonly #seal: Seal | null
  #malformed = 0
  #refused = 0

  constructor(log: Log, repeats: RepeatLog, seal: Seal | null = null) {
    this.#log = log
    this.#repeats = repeats
    this.#seal = seal
  }

  /** How many messages did not have the form of their topic. */
  get malformed(): number {
    return this.#malformed
  }

  /** How many messages had no signature of a node of this installation. */
  get refused(): number {
    return this.#refused
  }

  /** Gives a listener the message in a text from the carrier, if its signature and its form are valid. Never throws. */
  open<Message>(topic: string, form: Form<Message>, text: string, listener: (message: Message) => void): void {
    const opened = form.isSigned && this.#seal ? this.#seal.open(topic, text) : text
    if (opened === null) this.#refuse(topic)
    else this.take(topic, form, parseJson(opened), listener)
  }

  /** Gives a listener a message, if it has the topic's form. Never throws. */
  take<Message>(topic: string, { parse }: Form<Message>, value: unknown, listener: (message: Message) => void): void {
    try {
      const message = parse(value)
      if (message === null) this.#drop(topic)
      else listener(message)
    } catch (error) {
      this.#log.error({ err: error, topic }, 'a listener of a topic failed')
    }
  }

  #drop(topic: string): void {
    this.#malformed += 1
    this.#repeats.note('error', '', { topic }, 'a message between nodes is malformed and was dropped: a bug')
  }

  #refuse(topic: string): void {
    this.#refused += 1
    const message =
      'a message on Redis was dropped because no secret in PARLEY_TOKEN_SECRET signed it: a node has other secrets, or another program publishes here'
    this.#repeats.note('error', '', { topic }, message)
  }
}

/** The value of a JSON text; undefined, which has no form, for any other text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
