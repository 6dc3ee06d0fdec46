// Parts of encrypted messages: what cannot be read yet or at all, and files, which are decrypted here when somebody opens them.

import type { Message } from 'parley-client/react'
import { useAction } from './ask.ts'
import { sizeOf } from './attachments.tsx'
import { useEncryption } from './encryption.ts'
import { Icon } from './icon.tsx'
import { endpoint } from './session.ts'
import { texts } from './texts.ts'

type Sealed = NonNullable<Message['sealed']>

/** Why there is no text, if there is none. */
export function SealedNote({ sealed }: { sealed: Sealed }) {
  if (sealed.status === 'READ') return null
  const why = sealed.status === 'UNREADABLE' ? texts.unreadable[sealed.reason] : texts.sealed[sealed.status]
  return <p className="deleted">{why}</p>
}

export function SealedFiles({ message: { attachments, sealed } }: { message: Message }) {
  const files = sealed?.status === 'READ' ? sealed.files : []
  return (
    <ul className="files">
      {attachments.map((attachment, i) => {
        const file = files[i]
        return file && <SealedFileRow key={attachment.id} url={attachment.url ?? ''} file={file} />
      })}
    </ul>
  )
}

function SealedFileRow({ url, file }: { url: string; file: Extract<Sealed, { status: 'READ' }>['files'][number] }) {
  const encryption = useEncryption()
  const { run, isBusy, problem } = useAction()
  const open = () =>
    void run(async () => {
      if (!encryption) return
      const response = await fetch(new URL(url, endpoint))
      const blob = await encryption.openFile(new Uint8Array(await response.arrayBuffer()), file)
      const link = document.createElement('a')
      link.href = URL.createObjectURL(blob)
      link.download = file.fileName
      link.click()
      URL.revokeObjectURL(link.href)
    })
  return (
    <li>
      <button type="button" className="file" disabled={isBusy || !encryption} onClick={open}>
        <Icon name="file" />
        <span dir="auto">{file.fileName}</span>
        <small>{problem ?? sizeOf(file.byteSize)}</small>
      </button>
    </li>
  )
}
