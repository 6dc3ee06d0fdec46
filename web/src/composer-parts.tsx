// What stands above the text to send: the message that it answers or replaces, and the files that go with it.

import { sizeOf } from './attachments.tsx'
import { Icon } from './icon.tsx'
import { nameOf } from './names.ts'
import type { Reference } from './reference.ts'
import { texts } from './texts.ts'

export function ReferenceBar({ reference, onCancel }: { reference: Reference; onCancel: () => void }) {
  const { kind, message } = reference
  return (
    <div className="reference">
      <b dir="auto">{kind === 'edit' ? texts.editing : texts.replyingTo(nameOf(message.sender))}</b>
      <span dir="auto">{message.text || texts.file}</span>
      <button type="button" className="round" aria-label={texts.cancel} onClick={onCancel}>
        <Icon name="close" />
      </button>
    </div>
  )
}

type FilesProps = { files: readonly File[]; setFiles: (files: readonly File[]) => void }

export function ChosenFiles({ files, setFiles }: FilesProps) {
  return (
    <ul className="chosen">
      {files.map((file, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two files may have the same name
        <li key={i}>
          <span dir="auto">{file.name}</span> <small>{sizeOf(file.size)}</small>
          <button
            type="button"
            className="round"
            aria-label={`${texts.remove}: ${file.name}`}
            onClick={() => setFiles(files.filter((each) => each !== file))}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  )
}
