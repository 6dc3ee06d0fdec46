// The picture of the user or of a group: to choose, change and remove.

import { type ParleyClient, ParleyFailure } from 'parley-client'
import { useRef } from 'react'
import { useAction } from './ask.ts'
import { Avatar, type Pictured } from './avatar.tsx'
import { Problem } from './dialog.tsx'
import { CreateUpload } from './documents.ts'
import { endpoint } from './session.ts'
import { texts } from './texts.ts'

/** Uploads a picture. @returns the ID of its attachment @throws ParleyFailure */
async function uploadPicture(client: ParleyClient, file: File): Promise<string> {
  const { name: fileName, type: contentType, size: byteSize } = file
  const { createUpload } = await client.request(CreateUpload, { input: { fileName, contentType, byteSize, purpose: 'AVATAR' } })
  const { url, method, headers } = createUpload.upload
  const sent = Object.entries(Object(headers)).map(([key, value]): [string, string] => [key, String(value)])
  const response = await fetch(new URL(url, endpoint), { method, headers: sent, body: file }).catch(() => null)
  if (!response) throw new ParleyFailure('NO_ANSWER', 'The server does not answer.', true)
  if (!response.ok) throw new ParleyFailure('FILE_REFUSED', 'This picture was refused.', false)
  return createUpload.attachment.id
}

type Props = {
  pictured: Pictured
  /** Sets the picture by the ID of its attachment; null removes it. */
  set: (client: ParleyClient, avatarId: string | null) => Promise<unknown>
}

export function PictureField({ pictured, set }: Props) {
  const { client, run, isBusy, problem } = useAction()
  const chooser = useRef<HTMLInputElement>(null)
  return (
    <div className="picture">
      <Avatar {...pictured} />
      <p className="choices">
        <button type="button" disabled={isBusy} onClick={() => chooser.current?.click()}>
          {isBusy ? texts.loading : texts.changePicture}
        </button>
        {pictured.picture && (
          <button type="button" className="danger" disabled={isBusy} onClick={() => void run(() => set(client, null))}>
            {texts.removePicture}
          </button>
        )}
      </p>
      <input
        ref={chooser}
        {...{ type: 'file', accept: 'image/*', hidden: true, 'aria-label': texts.changePicture }}
        onChange={({ target }) => {
          const [file] = target.files ?? []
          if (file) void run(async () => set(client, await uploadPicture(client, file)))
          target.value = ''
        }}
      />
      <Problem text={problem} />
    </div>
  )
}
