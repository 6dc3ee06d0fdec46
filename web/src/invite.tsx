// Invites to a group: those that its admins make, and the one that the user has followed.

import { useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { CreateInvite, Invites, JoinWithInvite, PreviewInvite, RevokeInvite } from './documents.ts'
import { addressOfInvite, goTo } from './place.ts'
import { texts } from './texts.ts'

export function InviteList({ conversationId }: { conversationId: string }) {
  const { data, problem, reload } = useAnswer(Invites, { id: conversationId })
  const { request, isBusy, problem: refused } = useAction()
  const open = (data?.conversation?.invites.nodes ?? []).filter(({ revokedAt }) => !revokedAt)
  return (
    <section>
      <h3>{texts.invites}</h3>
      <ul className="people">
        {open.map(({ id, token }) => (
          <li key={id}>
            <code>{token}</code>
            <CopyButton text={addressOfInvite(token)} />
            <button
              type="button"
              className="danger"
              onClick={() => void request(RevokeInvite, { input: { inviteId: id } }).then(reload)}
            >
              {texts.revoke}
            </button>
          </li>
        ))}
      </ul>
      <Problem text={problem ?? refused} />
      <button
        type="button"
        disabled={isBusy}
        onClick={() => void request(CreateInvite, { input: { conversationId } }).then(reload)}
      >
        {texts.createInvite}
      </button>
    </section>
  )
}

function CopyButton({ text }: { text: string }) {
  const [isCopied, setIsCopied] = useState(false)
  const copy = () => {
    // Pages over plain http have no clipboard: there the link can be read and copied by hand.
    if (navigator.clipboard)
      navigator.clipboard.writeText(text).then(
        () => setIsCopied(true),
        () => prompt(texts.copy, text),
      )
    else prompt(texts.copy, text)
  }
  return (
    <button type="button" onClick={copy}>
      {isCopied ? texts.copied : texts.copy}
    </button>
  )
}

export function InviteDialog({ token }: { token: string }) {
  const { data, problem } = useAnswer(PreviewInvite, { token })
  const { client, run, isBusy, problem: refused } = useAction()
  const join = () =>
    void run(async () => {
      const { joinWithInvite } = await client.request(JoinWithInvite, { input: { token } })
      goTo(joinWithInvite.conversation.id)
    })
  return (
    <Dialog title={texts.invited} onClose={() => goTo(null)}>
      {data?.invite ? (
        <>
          <p>
            <b dir="auto">{data.invite.title ?? texts.group}</b> · {texts.memberCount(data.invite.memberCount)}
          </p>
          <p dir="auto">{data.invite.description}</p>
          <button type="button" className="primary" disabled={isBusy} onClick={join}>
            {texts.join}
          </button>
        </>
      ) : (
        <p>{data ? texts.badInvite : texts.loading}</p>
      )}
      <Problem text={problem ?? refused} />
    </Dialog>
  )
}
