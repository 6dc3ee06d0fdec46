// The details of a conversation: a person to add to the contacts or block, or a group with its title, members and invites.

import { Members } from 'parley-client/documents'
import { type Conversation, type Person, useStore, useViewer } from 'parley-client/react'
import { type FormEvent, useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Avatar } from './avatar.tsx'
import { Dialog, Problem } from './dialog.tsx'
import * as documents from './documents.ts'
import { useEncryption } from './encryption.ts'
import type { MemberRole } from './generated/graphql.ts'
import { InviteList } from './invite.tsx'
import { nameOf, pictureOf, titleOf } from './names.ts'
import { findUser } from './new-conversation.tsx'
import { LevelField } from './notification-settings.tsx'
import { PictureField } from './picture.tsx'
import { goTo } from './place.ts'
import { BanList, PostingRules } from './posting-rules.tsx'
import { ReportDialog } from './report.tsx'
import { texts } from './texts.ts'

type Props = { conversation: Conversation; onClose: () => void }

export function DetailsDialog({ conversation, onClose }: Props) {
  return (
    <Dialog title={titleOf(conversation)} onClose={onClose}>
      {conversation.viewerMembership && (
        <LevelField conversationId={conversation.id} level={conversation.viewerMembership.pushLevel ?? null} />
      )}
      {conversation.kind === 'GROUP' ? (
        <GroupDetails {...{ conversation, onClose }} />
      ) : (
        <PersonDetails {...{ conversation, onClose }} />
      )}
    </Dialog>
  )
}

function PersonDetails({ conversation: { otherUser, isClosed }, onClose }: Props) {
  const { request, problem, isBusy } = useAction()
  const { actions } = useStore()
  const [isReporting, setIsReporting] = useState(false)
  if (!otherUser) return <p className="faint">{texts.deletedAccount}</p>
  const input = { userId: otherUser.id }
  const done = (isDone: boolean) => isDone && onClose()
  return (
    <>
      <p className="faint">@{otherUser.username}</p>
      <p className="choices">
        <button type="button" disabled={isBusy} onClick={() => void request(documents.RequestContact, { input }).then(done)}>
          {texts.addContact}
        </button>
        {!isClosed && (
          <button
            {...{ type: 'button', className: 'danger', disabled: isBusy }}
            onClick={() => void request(documents.BlockUser, { input }).then(done)}
          >
            {texts.block}
          </button>
        )}
        <button type="button" className="danger" onClick={() => setIsReporting(true)}>
          {texts.report}
        </button>
      </p>
      <Problem text={problem} />
      {isReporting && (
        <ReportDialog
          title={texts.reportUser(nameOf(otherUser))}
          report={(reason) => actions.reportUser(otherUser.id, reason)}
          onClose={() => setIsReporting(false)}
        />
      )}
    </>
  )
}

function GroupDetails({ conversation, onClose }: Props) {
  const { id, viewerCanEditConversation, viewerCanManageInvites, description } = conversation
  const { request, problem } = useAction()
  const leave = () => {
    if (!confirm(texts.confirmLeave)) return
    void request(documents.LeaveConversation, { input: { conversationId: id } }).then((isDone) => {
      if (!isDone) return
      onClose()
      goTo(null)
    })
  }
  return (
    <>
      {viewerCanEditConversation ? (
        <>
          <PictureField
            pictured={pictureOf(conversation)}
            set={(client, avatarId) => client.request(documents.UpdateConversation, { input: { conversationId: id, avatarId } })}
          />
          <TitleForm conversation={conversation} />
        </>
      ) : (
        <p dir="auto">{description}</p>
      )}
      <PostingRules conversation={conversation} />
      <MemberList conversation={conversation} />
      {conversation.viewerCanRemoveMembers && <BanList conversation={conversation} />}
      {viewerCanManageInvites && <InviteList conversationId={id} />}
      <Problem text={problem} />
      <button type="button" className="danger" onClick={leave}>
        {texts.leave}
      </button>
    </>
  )
}

function TitleForm({ conversation: { id, title, description } }: { conversation: Conversation }) {
  const { request, problem, isBusy } = useAction()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '').trim()
    const input = { conversationId: id, title: text('title'), description: text('description') || null }
    void request(documents.UpdateConversation, { input })
  }
  return (
    <form onSubmit={submit}>
      <label>
        {texts.title}
        <input name="title" dir="auto" defaultValue={title ?? ''} required maxLength={120} />
      </label>
      <label>
        {texts.description}
        <input name="description" dir="auto" defaultValue={description ?? ''} />
      </label>
      <Problem text={problem} />
      <button type="submit" disabled={isBusy}>
        {texts.save}
      </button>
    </form>
  )
}

type Member = {
  readonly role: MemberRole
  readonly user: Person
}

function MemberList({ conversation }: { conversation: Conversation }) {
  const { id, viewerCanAddMembers } = conversation
  const { client, run, isBusy, problem } = useAction()
  const encryption = useEncryption()
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const username = String(new FormData(form).get('username') ?? '').trim()
    void run(async () => {
      const userIds = [await findUser(client, username)]
      await client.request(documents.AddMembers, { input: { conversationId: id, userIds } })
      // So that they can read the next message already.
      if (conversation.encryption === 'MLS') await encryption?.prepare(id)
      form.reset()
    })
  }
  return (
    <section>
      <h3>{texts.members}</h3>
      <MemberPage conversation={conversation} after={null} />
      {viewerCanAddMembers && (
        <form className="inline" onSubmit={add}>
          <input
            {...{
              name: 'username',
              'aria-label': texts.addMember,
              placeholder: texts.addMember,
              required: true,
              autoComplete: 'off',
            }}
          />
          <button type="submit" disabled={isBusy}>
            {texts.add}
          </button>
        </form>
      )}
      <Problem text={problem} />
    </section>
  )
}

/** A page of the members, and the next one below it when the user wants it. */
function MemberPage({ conversation, after }: { conversation: Conversation; after: string | null }) {
  // The store reads a conversation again when its members have changed.
  const { data, problem } = useAnswer(Members, { id: conversation.id, after }, conversation)
  const [isMore, setIsMore] = useState(false)
  const { nodes = [], pageInfo } = data?.conversation?.members ?? {}
  const next = pageInfo?.hasNextPage ? (pageInfo.endCursor ?? null) : null
  return (
    <>
      <ul className="people">
        {nodes.map((member) => (
          <MemberRow key={member.user.id} {...{ member, conversation }} />
        ))}
      </ul>
      <Problem text={problem} />
      {next !== null && isMore && <MemberPage conversation={conversation} after={next} />}
      {next !== null && !isMore && (
        <button type="button" className="link" onClick={() => setIsMore(true)}>
          {texts.more}
        </button>
      )}
    </>
  )
}

function MemberRow({ member: { user, role }, conversation }: { member: Member; conversation: Conversation }) {
  const { id, viewerCanChangeRoles, viewerCanHandOver, viewerCanRemoveMembers } = conversation
  const viewer = useViewer()
  const { actions } = useStore()
  const { run, request, problem } = useAction()
  const [isReporting, setIsReporting] = useState(false)
  const isOther = user.id !== viewer?.id && role !== 'OWNER'
  const about = { conversationId: id, userId: user.id }
  const roles = (['MEMBER', 'ADMIN', 'OWNER'] as const).filter((each) => each !== 'OWNER' || viewerCanHandOver)
  return (
    <li>
      <Avatar id={user.id} name={user.displayName} picture={user.avatar ?? null} />
      <span className="names">
        <b dir="auto">{nameOf(user)}</b>
        <small>{problem ?? `@${user.username}`}</small>
      </span>
      {isOther && viewerCanChangeRoles ? (
        <select
          {...{ 'aria-label': `${texts.role}: ${user.displayName}`, value: role }}
          onChange={({ target }) =>
            void request(documents.SetMemberRole, { input: { ...about, role: target.value as MemberRole } })
          }
        >
          {roles.map((each) => (
            <option key={each} value={each}>
              {texts.roles[each]}
            </option>
          ))}
        </select>
      ) : (
        <small>{texts.roles[role]}</small>
      )}
      {isOther && viewerCanRemoveMembers && (
        <button
          {...{ type: 'button', className: 'danger', 'aria-label': `${texts.remove}: ${user.displayName}` }}
          onClick={() => void request(documents.RemoveMember, { input: about })}
        >
          {texts.remove}
        </button>
      )}
      {isOther && viewerCanRemoveMembers && (
        <button
          {...{ type: 'button', className: 'danger', 'aria-label': `${texts.ban}: ${user.displayName}` }}
          onClick={() => confirm(texts.confirmBan(nameOf(user))) && void run(() => actions.ban(id, user.id))}
        >
          {texts.ban}
        </button>
      )}
      {user.id !== viewer?.id && (
        <button
          {...{ type: 'button', 'aria-label': `${texts.report}: ${user.displayName}` }}
          onClick={() => setIsReporting(true)}
        >
          {texts.report}
        </button>
      )}
      {isReporting && (
        <ReportDialog
          title={texts.reportUser(nameOf(user))}
          report={(reason) => actions.reportUser(user.id, reason)}
          onClose={() => setIsReporting(false)}
        />
      )}
    </li>
  )
}
