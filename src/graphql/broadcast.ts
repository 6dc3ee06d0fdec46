// One execution for all who ask the same of an event: the answer is made once, as bytes, and handed to every socket and
// event stream of the node (A13, C1). Where it cannot be shared it is made for each viewer; both ways give the same bytes.

import { createHash } from 'node:crypto'
import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql'
import type { App } from '../app.ts'
import { closeCodes } from '../errors.ts'
import { type Fact, factKinds } from '../journal/fact.ts'
import type { StreamItem } from '../journal/item.ts'
import { steps } from '../journal/steps.ts'
import type { MessageRow } from '../journal/tables.ts'
import type { Reader } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import type { Context } from './context.ts'
import { execute } from './engine.ts'
import { clientError } from './errors.ts'
import type { EventSource } from './event.ts'
import { andThen, type MaybePromise } from './loader.ts'
import type { Question } from './question.ts'

/** The JSON of an execution result; null where there is nothing to tell and the connection was ended instead. */
export type Answer = Buffer | null

/** An operation that asks something of events: its document, and the context of who asked. */
export type Asking = Readonly<
  Pick<ExecutionArgs, 'operationName'> & {
    document: DocumentNode
    contextValue: Context
    variableValues: Readonly<Record<string, unknown>>
  }
>

/** A question with its number on this node, which is even: the one after it stands for those who see the whole history. */
export type Asked = Pick<Question, 'shared'> & { readonly number: number }

/** What was made of one item: the answers by the number of the question. */
type Shown = {
  readonly message: MessageRow | undefined
  readonly event: EventSource
  /** What the executions that are under way have looked up; it goes with the last of them. */
  scope: object
  underWay: number
  readonly answers: Map<number, MaybePromise<Buffer | typeof forEach>>
}

/** Cannot be shared: is executed for each viewer. */
const forEach = Symbol('for each viewer')

/** What is kept of answers, in bytes, for the devices that are a moment behind the others. */
const keptMax = 32 * 1_048_576
const shownBytes = 1_000
const askedMax = 10_000

/** The answers of one node. */
export class Broadcast {
  readonly #app: App
  readonly #schema: GraphQLSchema
  /** What is asked on this node, by the SHA-256 of its text. */
  #asked = new Map<string, Asked>()
  #nextNumber = 0
  #shown = new Map<object, Shown>()
  #keptBytes = 0
  readonly #reader: Reader
  readonly #nobody: Context

  constructor(app: App, schema: GraphQLSchema) {
    this.#app = app
    this.#schema = schema
    this.#reader = flushingReader(app.store)
    this.#nobody = nobodyOf(app, this.#reader)
    // What was shown of a message holds until something changes that it may show. New messages change nothing of old ones.
    app.journal.onFact((fact) => {
      if (fact.kind !== factKinds.MessageSent) this.#forget()
    })
    app.journal.onRestart(() => this.#forget())
  }

  /** What is asked of each event by all who ask the same. */
  askedBy(question: Question): Asked {
    const key = createHash('sha256').update(question.text).digest('base64')
    const known = this.#asked.get(key)
    if (known) return known
    if (this.#asked.size >= askedMax) this.#asked = new Map() // a number is never given twice: those in use stay good
    this.#nextNumber += 2
    const asked = { number: this.#nextNumber, shared: question.shared }
    this.#asked.set(key, asked)
    return asked
  }

  /**
   * What an operation is answered of an item of its stream.
   * @param asked what it asks, by `askedBy`
   * @param name the type of the event
   * @param seesWholeHistory whether its viewer sees all messages of the fact's conversation
   */
  answer(asking: Asking, asked: Asked, item: StreamItem, name: string, seesWholeHistory: boolean): MaybePromise<Answer> {
    const shown = this.#show(item)
    if (item.type === 'started' || item.type === 'caughtUp' || !asked.shared.has(name)) return this.#forOne(asking, shown)
    const number = seesWholeHistory ? asked.number + 1 : asked.number
    let answer = shown.answers.get(number)
    if (answer === undefined) {
      answer = this.#forAll(asking, shown, seesWholeHistory)
      if (answer instanceof Promise) {
        answer = answer.then(
          (made) => this.#keep(shown, number, made),
          (error: unknown) => {
            shown.answers.delete(number)
            throw error
          },
        )
        shown.answers.set(number, answer)
      } else this.#keep(shown, number, answer)
    }
    if (answer instanceof Promise) return answer.then((made) => (made === forEach ? this.#forOne(asking, shown) : made))
    return answer === forEach ? this.#forOne(asking, shown) : answer
  }

  /** A result with its errors in the form that clients are told. */
  told(result: ExecutionResult, { requestId }: Context): ExecutionResult {
    const { errors } = result
    return errors ? { ...result, errors: errors.map((error) => clientError(error, requestId, this.#app.log)) } : result
  }

  /** A bug ended the stream of an operation: it is heard of, and the client resumes. */
  failed({ contextValue }: Asking, fault: unknown): void {
    this.#app.log.error({ err: fault, requestId: contextValue.requestId }, 'a stream of events failed')
    contextValue.endConnection(closeCodes.RESUME, 'The stream failed; the fault was logged')
  }

  #forget(): void {
    this.#shown = new Map()
    this.#keptBytes = 0
  }

  #keep(shown: Shown, number: number, made: Buffer | typeof forEach): Buffer | typeof forEach {
    shown.answers.set(number, made)
    if (made !== forEach) this.#keptBytes += made.length
    return made
  }

  /**
   * What was made of an item already: of a fact that the node remembers, for as long as it shows the same message; of a tick
   * while it is told. What is replayed from Postgres, or told to one stream only, is not kept.
   */
  #show(item: StreamItem): Shown {
    const key: Fact | StreamItem = item.type === 'fact' ? item.fact : item
    const message = item.type === 'fact' ? item.message : undefined
    const known = this.#shown.get(key)
    if (known && known.message === message) return known
    const occurredAt = item.type === 'fact' ? new Date(item.fact.occurredAt) : new Date()
    const event = { item, cursor: this.#app.journal.cursor(item.place), occurredAt }
    const shown: Shown = { message, event, scope: {}, underWay: 0, answers: new Map() }
    if (item.type === 'fact' ? !this.#app.journal.remembers(item.fact) : item.type !== 'tick') return shown
    this.#keptBytes += shownBytes + 2 * (message?.text.length ?? 0)
    if (this.#keptBytes > keptMax) this.#forget()
    this.#shown.set(key, shown)
    return shown
  }

  /** Executes without a viewer. Any error ends the sharing of this event: errors hold what belongs to one request. */
  #forAll(asking: Asking, shown: Shown, seesWholeHistory: boolean): MaybePromise<Buffer | typeof forEach> {
    const { item } = shown.event
    const context = Object.create(this.#nobody, {
      scope: { value: shown.scope },
      wholeHistoryOf: { value: seesWholeHistory && item.type === 'fact' ? item.fact.conversationId : null },
    }) as Context
    const taken = (result: ExecutionResult) => {
      const isShared = !result.errors
      if (steps.eventExecuted.hasSubscribers) steps.eventExecuted.publish({ isShared })
      return isShared ? bytesOf(result) : forEach
    }
    return andThen(this.#execute(asking, shown, context), taken)
  }

  #forOne(asking: Asking, shown: Shown): MaybePromise<Answer> {
    if (steps.eventExecuted.hasSubscribers) steps.eventExecuted.publish({ isShared: false })
    const context: Context = { ...asking.contextValue, scope: shown.scope, reader: this.#reader }
    const taken = (result: ExecutionResult): Answer => {
      const told = this.told(result, context)
      // An event that cannot be shown at the moment is not skipped: the client comes again, from the cursor before it.
      if (told.errors?.some(({ extensions }) => extensions.code === 'UNAVAILABLE')) {
        context.endConnection(closeCodes.RESUME, 'An event could not be shown')
        return null
      }
      return bytesOf(told)
    }
    return andThen(this.#execute(asking, shown, context), taken)
  }

  #execute({ document, operationName, variableValues }: Asking, shown: Shown, contextValue: Context) {
    shown.underWay += 1
    const result = execute({
      schema: this.#schema,
      document,
      operationName: operationName ?? null,
      variableValues,
      rootValue: shown.event,
      contextValue,
    })
    return andThen(result, (done) => {
      shown.underWay -= 1
      if (shown.underWay === 0) shown.scope = {}
      return done
    })
  }
}

function bytesOf(result: ExecutionResult): Buffer {
  return Buffer.from(JSON.stringify(result))
}

/** Reads what events show: what was visible may not be on disk yet, and is shown when it is (B1). */
function flushingReader(store: Store): Reader {
  return {
    async rows(statement, values) {
      const rows = await store.reader.rows(statement, values)
      await store.flush()
      return rows
    },
  }
}

/** A field asked who looks, in an execution for everybody. */
class NotShared extends Error {
  constructor() {
    super('an execution for everybody has no viewer')
  }
}

/** The context of an execution for everybody: without a viewer, and without a connection. */
function nobodyOf(app: App, reader: Reader): Context {
  const refuse = () => {
    throw new NotShared()
  }
  return {
    app,
    get caller(): never {
      throw new NotShared()
    },
    requestId: '',
    reader,
    snapshot: null,
    scope: null,
    wholeHistoryOf: null,
    endConnection: refuse,
    renewConnection: null,
    visit: refuse,
  }
}
