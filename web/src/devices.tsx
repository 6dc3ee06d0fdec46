// The devices on which the user is logged in, and how to end their sessions.

import { useAction, useAnswer } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { Devices, RevokeOtherSessions, RevokeSession } from './documents.ts'
import { texts } from './texts.ts'
import { mediumTimeOf } from './time.ts'

export function DevicesDialog({ onClose }: { onClose: () => void }) {
  const { data, problem, reload } = useAnswer(Devices, {})
  const { request, isBusy, problem: refused } = useAction()
  const sessions = data?.sessions ?? []
  return (
    <Dialog title={texts.devices} onClose={onClose}>
      <ul className="people">
        {sessions.map(({ id, deviceName, isCurrent, lastUsedAt, state }) => (
          <li key={id}>
            <span className="names">
              <b dir="auto">{deviceName}</b>
              <small>
                {isCurrent ? texts.thisDevice : state === 'ONLINE' ? texts.online : texts.lastUsed(mediumTimeOf(lastUsedAt))}
              </small>
            </span>
            {!isCurrent && (
              <button
                {...{ type: 'button', className: 'danger', disabled: isBusy }}
                onClick={() => void request(RevokeSession, { input: { sessionId: id } }).then(reload)}
              >
                {texts.endSession}
              </button>
            )}
          </li>
        ))}
      </ul>
      <Problem text={problem ?? refused} />
      {sessions.length > 1 && (
        <button
          {...{ type: 'button', className: 'danger', disabled: isBusy }}
          onClick={() => void request(RevokeOtherSessions, {}).then(reload)}
        >
          {texts.endOthers}
        </button>
      )}
    </Dialog>
  )
}
