// The chat: conversations on one side, the messages of the open one on the other. It draws everything again after each change.

import type { ClientState, OutboxMessage, ParleyClient } from '../../client/src/client.ts'
import { FindUser, MarkRead, SetTyping, StartDirectConversation, Typing } from './documents.ts'
import { el, fieldsOf } from './dom.ts'
import { Model, type ShownConversation, type ShownMessage } from './model.ts'

/** How often to repeat `setTyping`, which lasts for 6 s. */
const typingEveryMs = 4_000

const words: { readonly [Status in ClientState['status']]: string } = {
  OFF: 'Not connected',
  CONNECTING: 'Connecting…',
  CATCHING_UP: 'Catching up…',
  LIVE: 'Live',
  WAITING: 'No connection. What you write is kept, and sent later.',
  REFUSED: 'This page does not fit the server. Reload it.',
  SIGNED_OUT: 'Signed out',
  CLOSED: 'Closed',
}
const timeOf = (at: string | Date) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })

/** Shows the chat of a client. */
export function showChat(root: HTMLElement, client: ParleyClient): void {
  new Chat(root, client)
}

class Chat {
  readonly #client: ParleyClient
  readonly #model: Model
  readonly #frame = el('div', { className: 'chat' })
  readonly #status = el('span', { className: 'faint', role: 'status' })
  readonly #name = el('span', { className: 'faint' })
  readonly #problem = el('p', { className: 'bad', role: 'alert' })
  readonly #list = el('ul')
  readonly #title = el('h2', { dir: 'auto' })
  readonly #messages = el('ol')
  /** The log scrolls and can be focused by keyboard, so the list in it keeps its own role. */
  readonly #log = el('div', { className: 'log', role: 'log', 'aria-label': 'Messages', tabIndex: 0 }, this.#messages)
  readonly #typing = el('p', { className: 'faint typing', 'aria-live': 'polite' })
  readonly #text = el('textarea', {
    name: 'text',
    rows: 2,
    dir: 'auto',
    required: true,
    placeholder: 'Write a message',
    'aria-label': 'Message',
  })
  readonly #composer = el('form', { hidden: true }, this.#text, el('button', { className: 'main' }, 'Send'))
  #openId: string | null = null
  /** The unsent text of each conversation. */
  readonly #drafts = new Map<string, string>()
  /** The seq up to which each conversation was marked as read. */
  readonly #readTo = new Map<string, number>()
  #stopTyping: () => void = () => undefined
  #typedAt = 0

  constructor(root: HTMLElement, client: ParleyClient) {
    this.#client = client
    this.#model = new Model(client, () => this.#draw())
    const start = el(
      'form',
      {},
      el('input', {
        name: 'username',
        required: true,
        placeholder: 'Username',
        autocapitalize: 'none',
        'aria-label': 'Start a conversation with',
      }),
      el('button', {}, 'Start'),
    )
    start.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#try(this.#start(fieldsOf(start).username ?? '').then(() => start.reset()))
    })
    this.#composer.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#send()
    })
    this.#text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
      event.preventDefault()
      this.#send()
    })
    this.#text.addEventListener('input', () => this.#reportTyping())
    const out = el('button', { className: 'plain', onclick: () => void client.logOut() }, 'Log out')
    const back = el('button', { className: 'plain back', onclick: () => this.#open(null) }, '‹ All')
    this.#frame.append(
      el('header', {}, back, el('h1', {}, 'Parley'), this.#status, this.#name, out),
      el('nav', { 'aria-label': 'Conversations' }, start, this.#problem, this.#list),
      el('main', {}, this.#title, this.#log, this.#typing, this.#composer),
    )
    root.replaceChildren(this.#frame)
    document.addEventListener('visibilitychange', () => this.#draw())
    this.#draw()
    this.#model.follow()
  }

  /** Shows the user an error of `work`. */
  #try(work: Promise<unknown>): void {
    this.#problem.textContent = ''
    work.catch((error: unknown) => {
      this.#problem.textContent = error instanceof Error ? error.message : String(error)
    })
  }

  async #start(username: string): Promise<void> {
    const { user } = await this.#client.request(FindUser, { username })
    if (!user) throw new Error(`There is no user called ${username}.`)
    const { startDirectConversation } = await this.#client.request(StartDirectConversation, { input: { userId: user.id } })
    this.#model.put(startDirectConversation.conversation)
    this.#open(startDirectConversation.conversation.id)
  }

  #send(): void {
    const text = this.#text.value
    if (text.trim() === '' || this.#openId === null) return
    this.#text.value = ''
    this.#typedAt = 0
    this.#try(this.#client.send({ conversationId: this.#openId, text }))
  }

  #reportTyping(): void {
    if (this.#openId === null || Date.now() - this.#typedAt < typingEveryMs) return
    this.#typedAt = Date.now()
    this.#client.request(SetTyping, { input: { conversationId: this.#openId, typing: true } }).catch(() => undefined)
  }

  #open(id: string | null): void {
    this.#stopTyping()
    this.#stopTyping = () => undefined
    this.#typing.textContent = ''
    if (this.#openId !== null) this.#drafts.set(this.#openId, this.#text.value)
    this.#text.value = (id === null ? undefined : this.#drafts.get(id)) ?? ''
    this.#openId = id
    this.#typedAt = 0
    if (id !== null) {
      this.#stopTyping = this.#client.subscribe(
        Typing,
        { conversationId: id },
        {
          next: ({ typing }) => {
            const names = typing.users
              .map(({ displayName }) => displayName)
              .filter((name) => name !== this.#model.viewer?.displayName)
            this.#typing.textContent = names.length > 0 ? `${names.join(', ')} writing…` : ''
          },
        },
      )
    }
    this.#draw()
    if (id !== null) this.#text.focus()
  }

  #draw(): void {
    const { state } = this.#client
    const waiting = this.#client.outbox.messages.filter(({ status }) => status !== 'SENT' && status !== 'FAILED').length
    const isSending = state.status === 'LIVE' && waiting > 0
    this.#status.textContent = isSending ? `Sending ${waiting}…` : words[state.status]
    this.#status.dataset.status = state.status
    this.#name.textContent = this.#model.viewer?.displayName ?? ''
    const conversations = this.#model.conversations
    const open = conversations.find(({ id }) => id === this.#openId)
    this.#frame.classList.toggle('open', open !== undefined)
    const focused = this.#list.contains(document.activeElement) ? document.activeElement?.id : undefined
    this.#list.replaceChildren(...conversations.map((each) => this.#item(each)))
    if (focused) document.getElementById(focused)?.focus()
    this.#composer.hidden = open === undefined || open.isClosed
    this.#title.textContent = open ? this.#model.titleOf(open) : 'Choose a conversation, or start one by a username.'
    const wasAtEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80
    const items = open
      ? [...messagesOf(open).map((each) => this.#message(each)), ...this.#model.unsent(open.id).map((each) => this.#unsent(each))]
      : []
    patch(this.#messages, items)
    if (wasAtEnd) this.#log.scrollTop = this.#log.scrollHeight
    if (open && wasAtEnd && !document.hidden) this.#markRead(open)
  }

  /** Marks the visible messages as read. After a failure, the next change tries again. */
  #markRead(conversation: ShownConversation): void {
    const seq = messagesOf(conversation).at(-1)?.seq ?? 0
    const before = this.#readTo.get(conversation.id) ?? 0
    if (seq <= before) return
    this.#readTo.set(conversation.id, seq)
    this.#client.request(MarkRead, { input: { conversationId: conversation.id, seq } }).catch(() => {
      this.#readTo.set(conversation.id, before)
    })
  }

  #item(conversation: ShownConversation): HTMLElement {
    const last = messagesOf(conversation).at(-1)
    const isOpen = conversation.id === this.#openId
    const button = el('button', {
      id: conversation.id,
      dir: 'auto',
      onclick: () => this.#open(conversation.id),
      'aria-current': String(isOpen),
    })
    button.append(
      this.#model.titleOf(conversation),
      el('span', { className: 'faint last' }, last ? textOf(last) : 'Nothing written yet'),
    )
    return el('li', {}, button)
  }

  #message(message: ShownMessage): HTMLElement {
    const isOwn = message.sender?.id === this.#model.viewer?.id
    const by = isOwn ? 'You' : (message.sender?.displayName ?? 'Deleted user')
    const edited = message.editedAt && !message.deletedAt ? ', edited' : ''
    const note = el('span', { className: 'faint' }, `${by}, ${timeOf(message.createdAt)}${edited}`)
    return el('li', { id: message.id, dir: 'auto', className: isOwn ? 'own' : '' }, textOf(message), note)
  }

  #unsent({ clientMessageId, input, status, failure, queuedAt }: OutboxMessage): HTMLElement {
    const { outbox } = this.#client
    const isSent = status === 'SENT'
    const item = el('li', { id: clientMessageId, dir: 'auto', className: isSent ? 'own' : 'own pending' }, input.text)
    if (isSent) {
      item.append(el('span', { className: 'faint' }, `You, ${timeOf(queuedAt)}`))
      return item
    }
    if (status !== 'FAILED') {
      item.append(el('span', { className: 'faint' }, `On its way since ${timeOf(queuedAt)}`))
      return item
    }
    item.append(
      el('span', { className: 'bad' }, ` Not sent: ${failure?.message ?? ''} `),
      el('button', { className: 'plain', onclick: () => this.#try(outbox.retry(clientMessageId)) }, 'Try again'),
      el('button', { className: 'plain', onclick: () => this.#try(outbox.discard(clientMessageId)) }, 'Discard'),
    )
    return item
  }
}

const textOf = ({ text, deletedAt }: ShownMessage) => (deletedAt ? 'This message was deleted.' : text)
const messagesOf = ({ messages }: ShownConversation) => (messages.nodes ?? []).flatMap((message) => (message ? [message] : []))

/** Replaces the items of a list, but keeps unchanged elements: a screen reader then reads only new ones. */
function patch(list: HTMLElement, items: readonly HTMLElement[]): void {
  const there = new Map([...list.children].map((child) => [child.id, child]))
  const wanted = items.map((item) => {
    const old = there.get(item.id)
    return old?.isEqualNode(item) ? old : item
  })
  for (const child of [...list.children]) if (!wanted.includes(child as HTMLElement)) child.remove()
  wanted.forEach((item, i) => {
    if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null)
  })
}
