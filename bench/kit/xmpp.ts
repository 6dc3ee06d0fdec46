// XMPP over WebSocket (RFC 7395), as much of it as the bench needs: signing in, catching up from the archive, messages of rooms.

import WebSocket from 'ws'

/** The domain of the users of ejabberd, and the password of all of them. */
export const ejabberdHost = 'localhost'
export const ejabberdPassword = 'bench'

const framing = 'urn:ietf:params:xml:ns:xmpp-framing'
const open = `<open xmlns='${framing}' to='${ejabberdHost}' version='1.0'/>`
const bind = "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
const presence = "<presence xmlns='jabber:client'/>"
/** Any answer to it says that the presence before it counts. */
const ping = `<iq xmlns='jabber:client' type='get' id='live' to='${ejabberdHost}'><ping xmlns='urn:xmpp:ping'/></iq>`
const catchUp = (after: string) =>
  `<iq xmlns='jabber:client' type='set' id='live'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><after>${after}</after></set></query></iq>`

/** Whether a frame is a message, live or from the archive: `<message …`. */
export function isXmppMessage(frame: Buffer): boolean {
  return frame[0] === 60 && frame[1] === 109
}

/** The place of a message in the archive. */
export function archiveIdOf(frame: Buffer): string | null {
  return /<(?:result|item) [^>]*\bid='(\d+)'/.exec(String(frame))?.[1] ?? null
}

/** The steps from an open socket to a session that gets messages, and has got those after a place in the archive. */
export class XmppLogin {
  readonly #send: (frame: string) => void
  readonly #user: string
  readonly #after: string | null
  #isSignedIn = false

  constructor(send: (frame: string) => void, user: string, after: string | null) {
    this.#send = send
    this.#user = user
    this.#after = after
    send(open)
  }

  /** Takes a frame that is no message; returns whether the session is live with it. */
  take(frame: string): boolean {
    if (frame.includes('<mechanism>')) {
      const secret = Buffer.from(`\0${this.#user}\0${ejabberdPassword}`).toString('base64')
      this.#send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`)
    } else if (frame.startsWith('<success')) {
      this.#isSignedIn = true
      this.#send(open)
    } else if (frame.startsWith('<stream:features') && this.#isSignedIn) this.#send(bind)
    else if (/^<iq [^>]*id='bind'/.test(frame)) {
      if (!frame.includes('<jid>')) throw new Error(`no session was made: ${frame}`)
      this.#send(presence)
      this.#send(this.#after === null ? ping : catchUp(this.#after))
    } else if (/^<iq [^>]*id='live'/.test(frame)) {
      if (this.#after !== null && !/<fin [^>]*complete='true'/.test(frame)) throw new Error(`the archive has more: ${frame}`)
      return true
    } else if (frame.startsWith('<failure') || frame.startsWith('<stream:error')) throw new Error(`ejabberd refused: ${frame}`)
    return false
  }
}

/**
 * A login of ejabberd 23.01 in some thousands gets no answer, or is closed in the middle: it begins again after so long, at most so
 * often.
 */
export const [loginMs, loginsMax] = [10_000, 5]
/** How long a send may take. */
const answerMs = 60_000

type Waiting = { readonly room: string; resolve(): void; reject(error: Error): void }

/** A session of a user who sends to rooms, or listens. */
export class XmppSession {
  readonly #socket: WebSocket
  readonly #waiting = new Map<string, Waiting>()
  #failure: Error | null = null
  #last = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** Signs a user in. Messages go to `onMessage`, or without it are the answers to sends. */
  static async open(url: string, user: string, onMessage?: (frame: Buffer) => void): Promise<XmppSession> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await XmppSession.#signIn(url, user, onMessage)
      } catch (error) {
        if (attempt === loginsMax) throw error
      }
    }
  }

  static #signIn(url: string, user: string, onMessage?: (frame: Buffer) => void): Promise<XmppSession> {
    const socket = new WebSocket(url, ['xmpp'], { perMessageDeflate: false, skipUTF8Validation: true })
    const session = new XmppSession(socket)
    return new Promise((resolve, reject) => {
      let login: XmppLogin | null = null
      const late = setTimeout(() => socket.terminate(), loginMs)
      socket.once('error', reject)
      socket.once('open', () => {
        login = new XmppLogin((frame) => socket.send(frame), user, null)
      })
      socket.on('message', (frame: Buffer) => {
        if (isXmppMessage(frame)) (onMessage ?? session.#takeAnswer)(frame)
        else if (login) {
          try {
            if (!login.take(String(frame))) return
            clearTimeout(late)
            resolve(session)
          } catch (error) {
            reject(error)
          }
          login = null
        }
      })
      socket.once('close', (code) => {
        clearTimeout(late)
        const error = new Error(`the socket was closed with ${code}`)
        reject(error)
        session.#fail(error)
      })
    })
  }

  /** Refuses what is under way, and what comes. */
  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  readonly #takeAnswer = (buffer: Buffer): void => {
    const frame = String(buffer)
    const id = /\bid='s(\d+)'/.exec(frame)?.[1] ?? ''
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (!waiting) this.#fail(new Error(`an answer came twice, or to nothing: ${frame}`))
    else if (frame.includes(`<stanza-id by='${waiting.room}'`)) waiting.resolve()
    else waiting.reject(new Error(`not stored: ${frame}`))
  }

  /** Sends a message to a room; resolves when the room has stored it and passed it on to this session too. */
  send(room: string, text: string): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    this.#last += 1
    const id = String(this.#last)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#fail(new Error(`no answer to a send in ${answerMs} ms`)), answerMs)
      const done = () => {
        clearTimeout(late)
        resolve()
      }
      this.#waiting.set(id, { room, resolve: done, reject })
      this.#socket.send(`<message xmlns='jabber:client' type='groupchat' to='${room}' id='s${id}'><body>${text}</body></message>`)
    })
  }

  /** Breaks the connection. */
  cut(): void {
    this.#socket.terminate()
  }
}
