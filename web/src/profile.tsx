// The user's own profile.

import { useViewer } from 'parley-client/react'
import { type FormEvent, useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { Profile, UpdateProfile } from './documents.ts'
import { PictureField } from './picture.tsx'
import { texts } from './texts.ts'

export function ProfileDialog({ onClose }: { onClose: () => void }) {
  const viewer = useViewer()
  const { data, problem } = useAnswer(Profile, {})
  const { request, isBusy, problem: refused } = useAction()
  const [isSaved, setIsSaved] = useState(false)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setIsSaved(false)
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '').trim()
    void request(UpdateProfile, { input: { displayName: text('displayName'), bio: text('bio') } }).then(setIsSaved)
  }
  return (
    <Dialog title={texts.profile} onClose={onClose}>
      {viewer && (
        <PictureField
          pictured={{ id: viewer.id, name: viewer.displayName, picture: viewer.avatar ?? null }}
          set={(client, avatarId) => client.request(UpdateProfile, { input: { avatarId } })}
        />
      )}
      {data && (
        <form onSubmit={submit}>
          <p className="faint">@{data.viewer.username}</p>
          <label>
            {texts.displayName}
            <input name="displayName" dir="auto" required maxLength={80} defaultValue={data.viewer.displayName} />
          </label>
          <label>
            {texts.bio}
            <textarea name="bio" dir="auto" rows={4} defaultValue={data.viewer.bio} />
          </label>
          <Problem text={refused} />
          <button type="submit" className="primary" disabled={isBusy}>
            {texts.save}
          </button>
          <span role="status">{isSaved ? texts.saved : ''}</span>
        </form>
      )}
      <Problem text={problem} />
    </Dialog>
  )
}
