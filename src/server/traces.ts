// Traces with OpenTelemetry: a span for each operation, and below it the steps of its write, up to the delivery of its events on
// every node. Parley uses the API alone; the operator loads an SDK of their choice into the process. The steps are those of
// src/journal/steps.ts: without traces, nobody hears them.
//
// A trace reaches the other nodes on a topic of its own, just before its facts on the same connection. Facts carry none of it.

import type { IncomingMessage } from 'node:http'
import { isAsyncIterable, type Plugin } from '@envelop/core'
import type * as OpenTelemetry from '@opentelemetry/api'
import type { Span, SpanStatusCode, Context as TraceContext, Tracer } from '@opentelemetry/api'
import type { ExecutionArgs, ExecutionResult } from 'graphql'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { entriesMax } from '../bounded.ts'
import type { Form, Unsubscribe } from '../bus/bus.ts'
import { StartError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import type { Place } from '../journal/fact.ts'
import { steps } from '../journal/steps.ts'
import type { App } from '../parts.ts'
import { codeOf, hear, rootFieldOf } from './steps.ts'

/** The most facts whose trace a node remembers. */
const factsMax = 10_000
/** How long it remembers them, in milliseconds: the replay of a device that resumes later is not part of the trace. */
const factsMs = 60_000
/** The most writes under way whose trace it remembers. */
const writesMax = 1_000
/** The most deliveries of a fact that are spans on one node: an event for 100 people would be hundreds. */
const deliveriesMax = 10

/** The status of a span whose operation failed. The package that declares it is loaded only with traces. */
const failed: SpanStatusCode.ERROR = 2

/** The traces of a node. */
export type Traces = {
  /** Makes a span of each query and mutation. Its parent is the active span, or else that of the HTTP header `traceparent`. */
  readonly plugin: Plugin<TracedContext>
  close(): Promise<void>
}

type TracedContext = Context & { readonly req?: IncomingMessage }

/** The positions of facts that an operation wrote, and the span of that operation, as the other nodes learn them. */
type Traced = z.infer<typeof traced>
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))
const traced = z.array(
  z.object({ position: z.int(), facts: z.int().max(factsMax), traceId: hex(32), spanId: hex(16), traceFlags: z.int() }),
)
const form: Form<Traced> = { parse: (value) => traced.safeParse(value).data ?? null, isSigned: true }

/** An input on its way through a batch: when it was queued, sent to Postgres, and committed. */
type Input = { readonly operation: TraceContext; readonly queuedAt: number; calledAt: number; committedAt: number }
/** A rare write: when it was committed, and on disk. */
type Write = { readonly operation: TraceContext; readonly committedAt: number; flushedAt: number }
/** A fact that a traced operation wrote: when this node took it, with the span of that, and how often it was delivered. */
type TracedFact = { readonly operation: TraceContext; takenAt: number; follow: TraceContext; deliveries: number }

/**
 * Opens the traces of a node; null if they are not configured.
 * @throws StartError if the package `@opentelemetry/api` is not installed
 */
export async function openTraces(app: App): Promise<Traces | null> {
  if (!app.config.isTraced) return null
  const api = await loadApi()
  const tracer = api.trace.getTracer('parley', app.config.node.version)
  if (!api.isSpanContextValid(tracer.startSpan('start').spanContext()))
    app.log.warn('PARLEY_TRACES is true, but no OpenTelemetry SDK is loaded, so nothing is recorded. docs/operations.md says how')
  const traces = new NodeTraces(app, api, tracer)
  await traces.open()
  return traces
}

async function loadApi(): Promise<typeof OpenTelemetry> {
  try {
    return await import('@opentelemetry/api')
  } catch (cause) {
    const advice = 'Install it beside Parley, with an OpenTelemetry SDK, or unset PARLEY_TRACES.'
    throw new StartError(`PARLEY_TRACES is true, but the package @opentelemetry/api is not installed. ${advice}`, { cause })
  }
}

/** Now, in milliseconds since 1970 with fractions. */
const now = () => performance.timeOrigin + performance.now()

class NodeTraces implements Traces {
  readonly plugin: Traces['plugin'] = {
    onExecute: ({ args, executeFn, setExecuteFn }) => {
      const { span, within } = this.#start(args)
      setExecuteFn((given: ExecutionArgs) => this.#api.context.with(within, () => executeFn(given)))
      return {
        onExecuteDone({ result }) {
          if (!isAsyncIterable(result)) endSpan(span, result)
        },
      }
    },
  }
  readonly #app: App
  readonly #api: typeof OpenTelemetry
  readonly #tracer: Tracer
  readonly #topic: string
  /** By the object that stands for it in the steps. */
  readonly #inputs = new WeakMap<object, Input>()
  /** By tag. */
  readonly #writes = new LRUCache<number, Write>(entriesMax(writesMax))
  /** By position. */
  readonly #facts = new LRUCache<number, TracedFact>({ ...entriesMax(factsMax), ttl: factsMs })
  readonly #endings: (() => void)[] = []
  #unsubscribe: Unsubscribe = async () => undefined

  constructor(app: App, api: typeof OpenTelemetry, tracer: Tracer) {
    this.#app = app
    this.#api = api
    this.#tracer = tracer
    this.#topic = app.journal.topic('traces')
  }

  async open(): Promise<void> {
    this.#endings.push(...this.#hearAppends(), ...this.#hearWrites(), ...this.#hearDeliveries())
    this.#unsubscribe = await this.#app.bus.subscribe(this.#topic, form, (message) => this.#learn(message))
  }

  async close(): Promise<void> {
    for (const end of this.#endings.splice(0)) end()
    await this.#unsubscribe()
  }

  /** Starts the span of an operation. `within` is the context for what it does. */
  #start(args: ExecutionArgs): { span: Span; within: TraceContext } {
    const { context, propagation, trace } = this.#api
    const { req, requestId } = args.contextValue as TracedContext
    const { type, field } = rootFieldOf(args)
    const active = context.active()
    const parent = trace.getSpan(active) || !req ? active : propagation.extract(active, req.headers)
    const attributes = { 'graphql.operation.type': type, 'parley.request_id': requestId }
    const span = this.#tracer.startSpan(`${type} ${field}`, { attributes }, parent)
    return { span, within: trace.setSpan(parent, span) }
  }

  #hearAppends(): (() => void)[] {
    return [
      hear(steps.appendQueued, ({ item }: { item: object }) => {
        const operation = this.#operation()
        if (operation) this.#inputs.set(item, { operation, queuedAt: now(), calledAt: 0, committedAt: 0 })
      }),
      hear(steps.appendCalling, ({ items }: { items: readonly object[] }) => {
        const calledAt = now()
        for (const [input] of this.#tracedOf(items)) {
          if (input.calledAt === 0) this.#record('wait for the lane', input.operation, input.queuedAt, calledAt)
          input.calledAt = calledAt
        }
      }),
      hear(steps.appendCommitted, (step: { items: readonly object[]; outcomes: readonly unknown[] }) => {
        const committedAt = now()
        const told: Traced = []
        for (const [input, i] of this.#tracedOf(step.items)) {
          input.committedAt = committedAt
          const attributes = { 'parley.batch_size': step.items.length }
          this.#record('append and flush', input.operation, input.calledAt, committedAt, attributes)
          for (const { position } of placesOf(step.outcomes[i])) told.push(this.#trace(position, 1, input.operation))
        }
        if (told.length > 0) this.#app.bus.publish(this.#topic, told)
      }),
      hear(steps.appendAnnounced, ({ items }: { items: readonly object[] }) => {
        for (const [input] of this.#tracedOf(items)) this.#record('publish', input.operation, input.committedAt)
      }),
    ]
  }

  #hearWrites(): (() => void)[] {
    return [
      hear(steps.writeCommitted, ({ tag }: { tag: number }) => {
        const operation = this.#operation()
        if (operation) this.#writes.set(tag, { operation, committedAt: now(), flushedAt: 0 })
      }),
      hear(steps.writeFlushed, ({ tag, position, facts }: { tag: number; position: number; facts: number }) => {
        const write = this.#writes.get(tag)
        if (!write) return
        write.flushedAt = now()
        this.#record('flush', write.operation, write.committedAt, write.flushedAt)
        this.#app.bus.publish(this.#topic, [this.#trace(position, facts, write.operation)] satisfies Traced)
      }),
      hear(steps.writeAnnounced, ({ tag }: { tag: number }) => {
        const write = this.#writes.get(tag)
        if (write) this.#record('publish', write.operation, write.flushedAt)
        this.#writes.delete(tag)
      }),
    ]
  }

  #hearDeliveries(): (() => void)[] {
    type Taken = { position: number; facts: number }
    return [
      hear(steps.followTaking, ({ position, facts }: Taken) => this.#eachFact(position, facts, (fact) => (fact.takenAt = now()))),
      hear(steps.followRemembered, ({ position, facts }: Taken) =>
        this.#eachFact(position, facts, (fact) => {
          fact.follow = this.#record('follow', fact.operation, fact.takenAt)
        }),
      ),
      hear(steps.eventDelivered, ({ position }: { position: number }) => {
        const fact = this.#facts.get(position)
        if (!fact || fact.deliveries === deliveriesMax) return
        fact.deliveries += 1
        this.#record('deliver', fact.follow, fact.takenAt)
      }),
    ]
  }

  /** The context of the operation that is running, if its trace is recorded. */
  #operation(): TraceContext | null {
    const active = this.#api.context.active()
    return this.#api.trace.getSpan(active)?.isRecording() ? active : null
  }

  #tracedOf(items: readonly object[]): (readonly [Input, number])[] {
    return items.flatMap((item, i) => {
      const input = this.#inputs.get(item)
      return input ? [[input, i] as const] : []
    })
  }

  /** Records a span that has ended. @returns its context, for spans below it */
  #record(name: string, parent: TraceContext, from: number, until = now(), attributes = {}): TraceContext {
    const span = this.#tracer.startSpan(name, { startTime: from, attributes }, parent)
    span.end(until)
    return this.#api.trace.setSpan(parent, span)
  }

  /** Remembers that an operation on this node wrote these facts. @returns what to tell other nodes */
  #trace(position: number, facts: number, operation: TraceContext): Traced[number] {
    this.#remember(position, facts, operation)
    const { traceId, spanId, traceFlags } = this.#api.trace.getSpanContext(operation) ?? this.#api.INVALID_SPAN_CONTEXT
    return { position, facts, traceId, spanId, traceFlags }
  }

  /** Remembers facts that another node has told of. This node hears what it told itself, too. */
  #learn(told: Traced): void {
    for (const { position, facts, ...span } of told) {
      if (this.#facts.has(position)) continue
      const operation = this.#api.trace.setSpanContext(this.#api.ROOT_CONTEXT, { ...span, isRemote: true })
      this.#remember(position, facts, operation)
    }
  }

  #remember(position: number, facts: number, operation: TraceContext): void {
    for (let i = 0; i < facts; i += 1)
      this.#facts.set(position + i, { operation, takenAt: now(), follow: operation, deliveries: 0 })
  }

  #eachFact(position: number, facts: number, act: (fact: TracedFact) => void): void {
    if (this.#facts.size === 0) return
    for (let i = 0; i < facts; i += 1) {
      const fact = this.#facts.get(position + i)
      if (fact) act(fact)
    }
  }
}

function endSpan(span: Span, result: ExecutionResult): void {
  span.setAttribute('parley.code', codeOf(result))
  if (result.errors) span.setStatus({ code: failed })
  span.end()
}

/** The places of an outcome of an append: that of its fact, or those of several. */
function placesOf(outcome: unknown): readonly Place[] {
  const outcomes = (Array.isArray(outcome) ? outcome : [outcome]) as readonly { place?: Place | null }[]
  return outcomes.flatMap(({ place }) => place ?? [])
}
