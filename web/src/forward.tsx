// Forwards a message: the user chooses where copies go.

import { uuidv7 } from 'parley-client'
import { type Message, useConversations, useStore } from 'parley-client/react'
import { type FormEvent, useState } from 'react'
import { useAction } from './ask.ts'
import { Avatar } from './avatar.tsx'
import { Dialog, Problem } from './dialog.tsx'
import { pictureOf, titleOf } from './names.ts'
import { goTo } from './place.ts'
import { texts } from './texts.ts'

/** The most conversations of one forwarding. */
const chosenMax = 20

export function ForwardDialog({ message, onClose }: { message: Message; onClose: () => void }) {
  const store = useStore()
  const { ids, hasMore, loadMore } = useConversations()
  const { run, isBusy, problem } = useAction()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  // The same key for each attempt: what was sent before one failed is not sent again.
  const [key] = useState(uuidv7)
  const open = ids
    .map((id) => store.conversation(id))
    .filter((each) => each !== null)
    .filter(({ isClosed, viewerCanSend, encryption }) => !isClosed && viewerCanSend && encryption !== 'MLS')
  const choose = (id: string, isChosen: boolean) =>
    setChosen(new Set(isChosen ? [...chosen, id] : [...chosen].filter((each) => each !== id)))
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const [first = null, ...others] = chosen
    void run(() => store.actions.forward([message.id], [...chosen], key)).then((isDone) => {
      if (!isDone) return
      onClose()
      if (others.length === 0) goTo(first)
    })
  }
  return (
    <Dialog title={texts.forwardTo} onClose={onClose}>
      <form onSubmit={submit}>
        <fieldset className="people">
          <legend className="unseen">{texts.conversations}</legend>
          {open.map((conversation) => (
            <label key={conversation.id} className="check">
              <input
                type="checkbox"
                checked={chosen.has(conversation.id)}
                disabled={!chosen.has(conversation.id) && chosen.size >= chosenMax}
                onChange={({ target }) => choose(conversation.id, target.checked)}
              />
              <Avatar {...pictureOf(conversation)} />
              <span dir="auto">{titleOf(conversation)}</span>
            </label>
          ))}
        </fieldset>
        {hasMore && (
          <button type="button" className="link" onClick={() => void run(loadMore)}>
            {texts.more}
          </button>
        )}
        <p className="faint" role="status">
          {chosen.size >= chosenMax ? texts.atMost(chosenMax) : ''}
        </p>
        <Problem text={problem} />
        <button type="submit" className="primary" disabled={isBusy || chosen.size === 0}>
          {texts.forward}
        </button>
      </form>
    </Dialog>
  )
}
