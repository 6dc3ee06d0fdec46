// The text to send: Enter sends, Shift and Enter break the line, @ mentions somebody. Files come by the button, by pasting, or by dropping
// them.

import { type Conversation, type MessageList, useSend, useStore } from 'parley-client/react'
import {
  type ClipboardEvent,
  type DragEvent,
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { useAction } from './ask.ts'
import { ChosenFiles, ReferenceBar } from './composer-parts.tsx'
import { EditMessage } from './documents.ts'
import { useDraft } from './drafts.ts'
import { Icon } from './icon.tsx'
import { mentionedIn, useMentions } from './mentions.tsx'
import { SlowModeLine, useSlowMode } from './posting-rules.tsx'
import type { Reference } from './reference.ts'
import { texts } from './texts.ts'

type Props = {
  conversation: Conversation
  view: MessageList
  viewerId: string
  reference: Reference | null
  setReference: (reference: Reference | null) => void
  setTyping: (isTyping: boolean) => void
  onSend: () => void
}

export function Composer({ conversation, view, viewerId, reference, setReference, setTyping, onSend }: Props) {
  const { id } = conversation
  const { send } = useSend(id)
  const store = useStore()
  const [draft, setDraft] = useDraft(viewerId, id)
  const [edited, setEdited] = useState('')
  const [files, setFiles] = useState<readonly File[]>([])
  const { run, client, problem } = useAction()
  const field = useRef<HTMLTextAreaElement>(null)
  const edit = reference?.kind === 'edit' ? reference.message : null
  const text = edit ? edited : draft.text
  const waitS = useSlowMode(conversation, view, viewerId)
  const isHeld = waitS > 0 && !edit
  const mentions = useMentions({
    ...{ id, text, field, isOff: edit !== null },
    onChoose: (next, { username, id: userId }) => setDraft({ text: next, mentions: { ...draft.mentions, [username]: userId } }),
  })

  useEffect(() => {
    if (reference?.kind === 'edit') setEdited(reference.message.text)
    if (reference) field.current?.focus()
  }, [reference])
  useHeightOf(field, text)

  const change = (next: string) => {
    if (edit) return setEdited(next)
    setDraft({ ...draft, text: next })
    setTyping(next !== '')
  }
  const submit = () => {
    if (isHeld || (text.trim() === '' && (files.length === 0 || edit))) return
    if (edit) {
      const input = { messageId: edit.id, text: text.trim() }
      void run(() => (edit.sealed ? store.change(id, { type: 'edit', ...input }) : client.request(EditMessage, { input }))).then(
        (isDone) => isDone && setReference(null),
      )
      return
    }
    const sent = files.map((file) => ({ blob: file, fileName: file.name }))
    const mentionedUserIds = mentionedIn(text, draft.mentions)
    void run(() => send({ text: text.trim(), files: sent, replyToId: reference?.message.id ?? null, mentionedUserIds }))
    setDraft({ text: '', mentions: {} })
    setFiles([])
    setReference(null)
    setTyping(false)
    onSend()
  }
  const keyDown = (event: KeyboardEvent) => {
    if (mentions.keyDown(event)) return
    if (event.key === 'Escape' && reference) setReference(null)
    // Enter also ends the composition of a Korean or Japanese word: that one does not send.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }
  const add = (list: FileList) => setFiles([...files, ...list])
  const paste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return
    event.preventDefault()
    add(event.clipboardData.files)
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
      {...useDrop(add)}
    >
      {reference && <ReferenceBar reference={reference} onCancel={() => setReference(null)} />}
      {files.length > 0 && <ChosenFiles files={files} setFiles={setFiles} />}
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {isHeld && <SlowModeLine waitS={waitS} />}
      {mentions.list}
      <div className="write">
        {!edit && <FileButton onChoose={add} />}
        <textarea
          ref={field}
          {...{ rows: 1, dir: 'auto', value: text, placeholder: texts.message, 'aria-label': texts.message }}
          {...mentions.fieldProps}
          onChange={({ target }) => change(target.value)}
          onSelect={({ currentTarget }) => mentions.looked(currentTarget.selectionStart)}
          onKeyDown={keyDown}
          onPaste={paste}
        />
        <button type="submit" className="round send" disabled={isHeld} aria-label={edit ? texts.save : texts.send}>
          <Icon name={edit ? 'check' : 'send'} />
        </button>
      </div>
    </form>
  )
}

/** Makes a field as high as its text. */
function useHeightOf(field: RefObject<HTMLTextAreaElement | null>, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    if (!field.current) return
    field.current.style.height = 'auto'
    field.current.style.height = `${field.current.scrollHeight}px`
  }, [field, text])
}

function FileButton({ onChoose }: { onChoose: (files: FileList) => void }) {
  const chooser = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type="button" className="round" aria-label={texts.attach} onClick={() => chooser.current?.click()}>
        <Icon name="attach" />
      </button>
      <input
        ref={chooser}
        {...{ type: 'file', multiple: true, hidden: true }}
        onChange={({ target }) => {
          if (target.files) onChoose(target.files)
          target.value = ''
        }}
      />
    </>
  )
}

/** Takes files that are dropped. */
function useDrop(add: (files: FileList) => void) {
  const [isOver, setIsOver] = useState(false)
  return {
    'data-drop': isOver,
    onDragOver(event: DragEvent) {
      event.preventDefault()
      setIsOver(true)
    },
    onDragLeave: () => setIsOver(false),
    onDrop(event: DragEvent) {
      event.preventDefault()
      setIsOver(false)
      add(event.dataTransfer.files)
    },
  }
}
