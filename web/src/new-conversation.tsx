// Starts a conversation with one person, or makes a group.

import type { ParleyClient } from 'parley-client'
import type { FormEvent } from 'react'
import { useAction } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { CreateGroup, FindUser, StartDirectConversation } from './documents.ts'
import { useEncryption } from './encryption.ts'
import type { Encryption } from './generated/graphql.ts'
import { goTo } from './place.ts'
import { texts, UnknownUser } from './texts.ts'

/** The ID of a user by username. @throws UnknownUser */
export async function findUser(client: ParleyClient, username: string): Promise<string> {
  const { user } = await client.request(FindUser, { username: username.replace(/^@/, '') })
  if (!user) throw new UnknownUser(username)
  return user.id
}

const encryptionIn = (form: FormData): Encryption => (form.has('encrypted') ? 'MLS' : 'NONE')

function EncryptionChoice({ isDisabled }: { isDisabled: boolean }) {
  return (
    <label className="choice">
      <input type="checkbox" name="encrypted" disabled={isDisabled} /> {texts.encrypted}
    </label>
  )
}

const field = (form: FormData, name: string) => String(form.get(name) ?? '').trim()

export function NewConversationDialog({ onClose }: { onClose: () => void }) {
  const encryption = useEncryption()
  const direct = useAction()
  const group = useAction()
  const show = (id: string) => {
    onClose()
    goTo(id)
  }
  const startDirect = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const username = field(form, 'username')
    void direct.run(async () => {
      const input = { userId: await findUser(direct.client, username), encryption: encryptionIn(form) }
      const { startDirectConversation } = await direct.client.request(StartDirectConversation, { input })
      await encryption?.prepare(startDirectConversation.conversation.id)
      show(startDirectConversation.conversation.id)
    })
  }
  const createGroup = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    void group.run(async () => {
      const usernames = field(form, 'usernames')
        .split(/[\s,]+/)
        .filter(Boolean)
      const memberIds = await Promise.all(usernames.map((username) => findUser(group.client, username)))
      const input = { title: field(form, 'title'), memberIds, encryption: encryptionIn(form) }
      const { createGroup } = await group.client.request(CreateGroup, { input })
      await encryption?.prepare(createGroup.conversation.id)
      show(createGroup.conversation.id)
    })
  }
  return (
    <Dialog title={texts.newConversation} onClose={onClose}>
      <form onSubmit={startDirect}>
        <h3>{texts.direct}</h3>
        <label>
          {texts.startWith}
          <input
            name="username"
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            required
            placeholder={texts.username}
          />
        </label>
        <EncryptionChoice isDisabled={!encryption} />
        <Problem text={direct.problem} />
        <button type="submit" className="primary" disabled={direct.isBusy}>
          {texts.start}
        </button>
      </form>
      <form onSubmit={createGroup}>
        <h3>{texts.group}</h3>
        <label>
          {texts.title}
          <input name="title" dir="auto" required maxLength={120} autoComplete="off" />
        </label>
        <label>
          {texts.usernames}
          <input name="usernames" autoCapitalize="none" autoComplete="off" spellCheck={false} />
        </label>
        <EncryptionChoice isDisabled={!encryption} />
        <Problem text={group.problem} />
        <button type="submit" className="primary" disabled={group.isBusy}>
          {texts.create}
        </button>
      </form>
    </Dialog>
  )
}
