// Preloaded into a node (`--import`), as an operator preloads an OpenTelemetry SDK: each span that ends is a line of JSON in the
// file RECORD_SPANS_IN.

import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { NodeTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-node'

/** A span as it is recorded. Times are in milliseconds since 1970. */
export type RecordedSpan = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | null
  readonly startedAt: number
  readonly endedAt: number
  readonly attributes: { readonly [name: string]: unknown }
}

// biome-ignore lint/style/noProcessEnv: the test says here where the spans go
const file = process.env.RECORD_SPANS_IN
if (file) {
  const ms = ([seconds, nanoseconds]: readonly [number, number]) => seconds * 1_000 + nanoseconds / 1e6
  const exporter: SpanExporter = {
    export(spans, done) {
      for (const span of spans) {
        const { traceId, spanId } = span.spanContext()
        const recorded: RecordedSpan = {
          ...{ name: span.name, traceId, spanId, parentId: span.parentSpanContext?.spanId ?? null },
          ...{ startedAt: ms(span.startTime), endedAt: ms(span.endTime), attributes: span.attributes },
        }
        appendFileSync(file, `${JSON.stringify(recorded)}\n`)
      }
      done({ code: 0 })
    },
    shutdown: async () => undefined,
  }
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
}
