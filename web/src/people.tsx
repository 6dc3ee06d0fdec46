// Contacts, requests in both directions, and blocked users.

import type { Document } from 'parley-client'
import { type Person as PersonParts, useStore } from 'parley-client/react'
import { type FormEvent, type ReactNode, useEffect } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Avatar, type Pictured } from './avatar.tsx'
import { Dialog, Problem } from './dialog.tsx'
import * as documents from './documents.ts'
import { findUser } from './new-conversation.tsx'
import { texts } from './texts.ts'

type Person = Pick<PersonParts, 'id' | 'username' | 'displayName'> & { readonly avatar?: Pictured['picture'] }
type OnUser = Document<unknown, { readonly input: { readonly userId: string } }>
type Action = { readonly label: string; readonly run: (userId: string) => void; readonly isDangerous?: boolean }

export function PeopleDialog({ onClose }: { onClose: () => void }) {
  const store = useStore()
  const { data, problem, reload } = useAnswer(documents.People, {})
  const { client, run, request, isBusy, problem: refused } = useAction()
  useEffect(() => store.subscribe('viewer', reload), [store, reload])
  const action = (label: string, document: OnUser, isDangerous = false): Action => ({
    label,
    isDangerous,
    run: (userId) => void request(document, { input: { userId } }).then(reload),
  })
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const username = String(new FormData(form).get('username') ?? '').trim()
    void run(async () => {
      await client.request(documents.RequestContact, { input: { userId: await findUser(client, username) } })
      form.reset()
      reload()
    })
  }
  const block = action(texts.block, documents.BlockUser, true)
  const usersOf = (nodes: readonly { readonly user: Person }[] | undefined) => nodes?.map(({ user }) => user) ?? []
  return (
    <Dialog title={texts.people} onClose={onClose}>
      <form className="inline" onSubmit={add}>
        <input
          {...{
            name: 'username',
            'aria-label': texts.username,
            placeholder: texts.username,
            required: true,
            autoComplete: 'off',
          }}
        />
        <button type="submit" disabled={isBusy}>
          {texts.addContact}
        </button>
      </form>
      <Problem text={problem ?? refused} />
      <Section
        {...{ title: texts.requests, people: usersOf(data?.incoming.nodes) }}
        actions={[action(texts.accept, documents.AcceptContact), action(texts.decline, documents.DeclineContact), block]}
      />
      <Section
        {...{ title: texts.contacts, people: usersOf(data?.contacts.nodes) }}
        actions={[action(texts.remove, documents.RemoveContact), block]}
      >
        <p className="faint">{texts.nobody}</p>
      </Section>
      <Section
        {...{ title: texts.requested, people: usersOf(data?.outgoing.nodes) }}
        actions={[action(texts.withdraw, documents.RemoveContact)]}
      />
      <Section
        {...{ title: texts.blocked, people: usersOf(data?.blockedUsers.nodes) }}
        actions={[action(texts.unblock, documents.UnblockUser)]}
      />
    </Dialog>
  )
}

type SectionProps = { title: string; people: readonly Person[]; actions: readonly Action[]; children?: ReactNode }

/** Some people, and what the user may do with each; `children` stands there if there are none. */
function Section({ title, people, actions, children }: SectionProps) {
  if (people.length === 0 && !children) return null
  return (
    <section>
      <h3>{title}</h3>
      {people.length === 0 && children}
      <ul className="people">
        {people.map(({ id, username, displayName, avatar }) => (
          <li key={id}>
            <Avatar id={id} name={displayName} picture={avatar ?? null} />
            <span className="names">
              <b dir="auto">{displayName}</b>
              <small>@{username}</small>
            </span>
            {actions.map(({ label, run, isDangerous }) => (
              <button
                key={label}
                {...{ type: 'button', className: isDangerous ? 'danger' : '', 'aria-label': `${label}: ${displayName}` }}
                onClick={() => run(id)}
              >
                {label}
              </button>
            ))}
          </li>
        ))}
      </ul>
    </section>
  )
}
