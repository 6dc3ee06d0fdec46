// GraphQL over HTTP: Yoga, with queries and mutations as JSON and subscriptions as server-sent events.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAsyncIterable, type Plugin } from '@envelop/core'
import { type ExecutionResult, GraphQLError } from 'graphql'
import { createYoga, type YogaInitialContext, type Plugin as YogaPlugin, type YogaServerInstance } from 'graphql-yoga'
import type { PersistedOperations } from '../config/config.ts'
import { ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { httpError } from '../graphql/errors.ts'
import { useAdmission, useClientErrors, useCost, useOurEngine, useSnapshots } from '../graphql/execution.ts'
import { usePlaces } from '../graphql/place.ts'
import type { Subscriptions } from '../graphql/subscriptions.ts'
import type { App } from '../parts.ts'
import { schema } from '../schema.ts'
import { useActing } from './acting.ts'
import type { AddressCounts } from './addresses.ts'
import { actAsHeader, bearerToken, type Call, type Guards, identify } from './callers.ts'
import type { Connection, Connections } from './connections.ts'
import { graphiqlOptions, renderGraphiQL } from './graphiql.ts'
import { newRequestId, refusalBody } from './http.ts'
import { useOperationBounds } from './operations.ts'
import { findDocumentText } from './persisted.ts'
import { type Rates, useRates } from './rates.ts'
import { logCrowd, logRefused, logRefusedToken, logUserCrowd } from './refused.ts'
import { useSigns } from './signs.ts'
import { useExecutedOperations } from './steps.ts'
import type { Traces } from './traces.ts'

/** The `Retry-After` for a client whose address has too many event streams. */
const crowdRetryMs = 2_000

/** What Yoga gets from the transport: the HTTP request and response, or the caller of a WebSocket. */
export type Door =
  | { readonly req: IncomingMessage; readonly res: ServerResponse; readonly address: string }
  | ({ readonly call: Call } & Pick<
      Context,
      'address' | 'asksForCost' | 'device' | 'endConnection' | 'renewConnection' | 'requestId'
    >)

export type Yoga = YogaServerInstance<Door, Context>

/** Builds the GraphQL handler of a node, for HTTP and for the operations of WebSockets. */
export function createGraphqlHandler(
  app: App,
  guards: Guards,
  connections: Connections,
  subscriptions: Subscriptions,
  addresses: AddressCounts,
  rates: Rates,
  traces: Traces | null,
): Yoga {
  const quiet = (...args: unknown[]) => app.log.debug({ args }, 'yoga')
  return createYoga<Door, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    multipart: false,
    extraParamNames: ['documentId'],
    // Parley's own cache is bounded by bytes, and does not keep refused documents.
    parserAndValidationCache: false,
    maxRequestBodySize: app.config.http.bodyBytesMax,
    logging: { debug: () => undefined, info: quiet, warn: quiet, error: quiet },
    cors: false, // see http.ts
    graphiql: app.config.isProduction ? false : graphiqlOptions,
    renderGraphiQL,
    maskedErrors: { maskError: (error) => httpError(error, newRequestId(), app) },
    context: (door) => createContext(door, app, guards),
    plugins: [
      useOurEngine(subscriptions),
      useAdmission(app),
      useRates(rates),
      useActing(app),
      useSigns(app, guards.guard),
      useOneDocument(app.config.persisted),
      useSnapshots(app),
      useOperationBounds(app, guards),
      usePlaces(app),
      useClientErrors(),
      useExecutedOperations(),
      useCost(),
      useRefusals(app),
      useOpenEventStreams(app, guards, connections, addresses),
      ...(traces ? [traces.plugin] : []), // last, so that a span includes how long its operation waited
    ],
  })
}

async function createContext(door: Door & Partial<YogaInitialContext>, app: App, guards: Guards): Promise<Context> {
  if ('call' in door) return contextFor(app, door)
  const { req, res, address, params } = door
  const asksForCost = params?.extensions?.cost === true
  const call = await identifyIn(req, guards)
  const requestId = String(res.getHeader('x-request-id'))
  logRefusedToken(app, call, address, requestId)
  const endConnection = () => void res.destroy()
  return contextFor(app, { call, asksForCost, requestId, address, device: () => null, endConnection, renewConnection: null })
}

/** The caller of an HTTP request. */
function identifyIn({ headers }: IncomingMessage, guards: Guards): Promise<Call> {
  const actAs = headers[actAsHeader]
  return identify(guards, bearerToken(headers.authorization), actAs === undefined ? null : String(actAs))
}

/** The context of an operation. A hot path: spreading objects here would cost a kilobyte of the old heap for each operation. */
/** An answer to a single request is not kept. */
const forAnyTime = () => undefined

function contextFor(app: App, origin: Exclude<Door, { req: unknown }>): Context {
  return {
    app,
    caller: origin.call.caller,
    asksForCost: origin.asksForCost,
    requestId: origin.requestId,
    address: origin.address,
    reader: app.store.reader,
    snapshot: null,
    scope: null,
    wholeHistoryOf: null,
    visibleRange: null,
    holdsUntil: forAnyTime,
    device: origin.device,
    endConnection: origin.endConnection,
    renewConnection: origin.renewConnection,
  }
}

/** Refuses several operations in one body, and puts the document of a persisted operation in place. */
function useOneDocument(persisted: PersistedOperations | null): YogaPlugin {
  return {
    onRequestParse: () => ({
      onRequestParseDone({ requestParserResult: parsed, setRequestParserResult }) {
        if (Array.isArray(parsed)) throw refusal(400, 'Send one operation per request. Batches are not supported.')
        try {
          const query = findDocumentText(parsed, persisted)
          if (query !== null && query !== parsed.query) setRequestParserResult({ ...parsed, query })
        } catch (error) {
          throw error instanceof GraphQLError ? withStatus(200, error) : error
        }
      },
    }),
  }
}

/** The JSON of an answer with errors. Yoga's serializer would rebuild them, and look up locations in a source that is gone. */
function textOf({ data, extensions }: ExecutionResult, errors: readonly GraphQLError[]): string {
  const shown = errors.map((error) => {
    const { extensions, ...rest } = error.toJSON()
    const { http: _http, ...visible } = extensions ?? {}
    return { ...rest, extensions: visible }
  })
  return JSON.stringify({ errors: shown, data, extensions })
}

/**
 * Gives every refusal over HTTP the form of Parley's errors, and logs it: also refusals by Yoga itself, before an operation has a
 * context, such as an invalid body or document.
 */
function useRefusals(app: App): YogaPlugin<object, Partial<HttpContext>> {
  return {
    onResultProcess({ result, setResult, serverContext }) {
      if (Array.isArray(result) || !('errors' in result) || !result.errors) return
      const { address = '', caller, res, params } = serverContext as Partial<HttpContext>
      const requestId = String(res?.getHeader('x-request-id') ?? newRequestId())
      // Without an operation, the body was not JSON, or was not a request of GraphQL over HTTP.
      const errors = result.errors.map((error) => httpError(params ? error : asBadRequest(error), requestId, app))
      logRefused(app, errors, { requestId, address, viewer: caller?.viewer ?? null, operation: params?.operationName })
      const waitMs = Math.max(0, ...errors.map(({ extensions }) => Number(extensions.retryAfterMs ?? 0)))
      if (waitMs > 0) res?.setHeader('retry-after', String(Math.ceil(waitMs / 1_000)))
      setResult({ ...result, errors, stringify: () => textOf(result, errors) } as typeof result)
    },
    onResponse({ response, setResponse, fetchAPI, serverContext: { res } }) {
      response.headers.set('cache-control', 'no-store')
      if (response.status !== 406 && !(res && unacceptable.has(res))) return
      const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }
      setResponse(new fetchAPI.Response(refusalBody(acceptable), { status: 406, headers }))
    },
  }
}

/** Responses to clients that sent a subscription but do not accept an event stream. */
const unacceptable = new WeakSet<ServerResponse>()

type HttpContext = Context & { res: ServerResponse; params: { operationName?: string | null } }

const acceptable =
  'The Accept header must allow application/json or application/graphql-response+json; for a subscription, text/event-stream. Or open a WebSocket with the subprotocol graphql-transport-ws.'

/** The refusal of a request without an operation: 400 unless it has another status. Yoga would answer 200 to some clients. */
function asBadRequest(error: GraphQLError): GraphQLError {
  const { status = 400, headers } = (error.extensions.http ?? {}) as { status?: number; headers?: Record<string, string> }
  const http = { status, ...(headers ? { headers } : {}) }
  return new GraphQLError(error.message, {
    extensions: { http },
    ...(error.originalError ? { originalError: error.originalError } : {}),
  })
}

/** A refusal with the HTTP status of its answer. */
function refusal(status: number, message: string): GraphQLError {
  return withStatus(status, new GraphQLError(message))
}

function withStatus(status: number, { message, originalError }: GraphQLError): GraphQLError {
  return new GraphQLError(message, { extensions: { http: { status } }, ...(originalError ? { originalError } : {}) })
}

/**
 * Counts the event stream of a subscription over HTTP for its address, and registers it with its session, while the response is
 * open. It ends the subscription with the response, even if the client left before the stream was open.
 */
function useOpenEventStreams(
  app: App,
  guards: Guards,
  connections: Connections,
  addresses: AddressCounts,
): Plugin<Context & Partial<{ res: ServerResponse; req: IncomingMessage }>> {
  return {
    async onSubscribe({ args, setResultAndStopExecution }) {
      const { res, req, caller, address, endConnection } = args.contextValue
      if (res && !acceptsEvents(req)) {
        unacceptable.add(res)
        setResultAndStopExecution({ errors: [new GraphQLError(acceptable)] })
        return undefined
      }
      if (!res) return undefined
      const slotKind = caller.viewer || caller.key ? 'withSession' : 'withoutSession'
      const slot = addresses.enter(address, slotKind)
      if (!slot) {
        logCrowd(app, address, slotKind)
        setResultAndStopExecution({ errors: [crowded('Too many WebSockets and event streams from this address')] })
        return undefined
      }
      whenClosed(res, slot.leave)
      if (!req || (!caller.viewer && !caller.key)) return undefined
      const { admission } = await identifyIn(req, guards)
      if (admission && !connections.hasRoom(admission.owner, 'stream')) {
        logUserCrowd(app, admission.owner, 'stream')
        setResultAndStopExecution({ errors: [crowded('You have too many event streams.')] })
        return undefined
      }
      const ending = {
        onSubscribeResult({ result }: { result: unknown }) {
          if (!isAsyncIterable(result)) return
          const end = () => {
            const ended = result[Symbol.asyncIterator]().return?.()
            ended?.catch((error: unknown) => app.log.error({ err: error }, 'an event stream ended badly'))
          }
          whenClosed(res, end)
        },
      }
      if (!admission || res.destroyed) {
        res.destroy() // since the request began, the session has ended or the client has left
        return ending
      }
      const connection: Connection = {
        kind: 'stream',
        owner: admission.owner,
        expiresAt: admission.expiresAt,
        end: endConnection,
        leave: () => res.destroy(),
      }
      connections.add(connection)
      if (admission.owner.sessionId !== null) app.devices.overHttp(admission.owner, true).used()
      res.once('close', () => connections.remove(connection))
      return ending
    },
  }
}

/** The refusal of an event stream where there are too many. */
function crowded(message: string): GraphQLError {
  const originalError = new ParleyError('RATE_LIMITED', message, { retryAfterMs: crowdRetryMs })
  return new GraphQLError(message, { originalError })
}

/** Calls `act` when a response has closed, or at once if it already has. */
function whenClosed(res: ServerResponse, act: () => void): void {
  if (res.destroyed) act()
  else res.once('close', act)
}

/** Whether a client accepts server-sent events. Without an Accept header it accepts everything. */
function acceptsEvents(request: IncomingMessage | undefined): boolean {
  return /text\/event-stream|text\/\*|\*\/\*/i.test(request?.headers.accept ?? '*/*')
}
