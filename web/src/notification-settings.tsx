// When the user is notified: in this browser, of what, and when not.

import { useStore } from 'parley-client/react'
import { type FormEvent, useEffect, useState } from 'react'
import { useAction, useAnswer } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import * as documents from './documents.ts'
import type { NotificationSettingsQuery, PresenceMode, PushLevel, Weekday } from './generated/graphql.ts'
import { type NotificationState, readState, turnOff, turnOn } from './notifications.ts'
import { texts } from './texts.ts'

const levels: readonly PushLevel[] = ['ALL', 'MENTIONS', 'NONE']
const modes: readonly PresenceMode[] = ['AUTOMATIC', 'DO_NOT_DISTURB', 'INVISIBLE']
const days: readonly Weekday[] = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY']

export function NotificationsDialog({ userId, onClose }: { userId: string; onClose: () => void }) {
  const { data, problem } = useAnswer(documents.NotificationSettings, {})
  return (
    <Dialog title={texts.notifications} onClose={onClose}>
      <ThisBrowser userId={userId} />
      {data && <SettingsForm settings={data} />}
      <Problem text={problem} />
    </Dialog>
  )
}

/** The permission is asked for when the user presses the button, and not before. */
function ThisBrowser({ userId }: { userId: string }) {
  const { client } = useStore()
  const { run, request, isBusy, problem } = useAction()
  const [state, setState] = useState<NotificationState | null>(null)
  const look = () => readState(client, userId).then(setState, () => setState('missing'))
  // biome-ignore lint/correctness/useExhaustiveDependencies: at the beginning, and after each change
  useEffect(() => void look(), [])
  const change = (action: typeof turnOn) => void run(() => action(client, userId)).then(look)
  return (
    <section>
      <h3>{texts.thisBrowser}</h3>
      <p role="status">{state === null ? texts.loading : texts.notificationState[state]}</p>
      <p className="choices">
        {state === 'off' && (
          <button type="button" className="primary" disabled={isBusy} onClick={() => change(turnOn)}>
            {texts.turnOn}
          </button>
        )}
        {state === 'on' && (
          <>
            <button type="button" disabled={isBusy} onClick={() => change(turnOff)}>
              {texts.turnOff}
            </button>
            <button type="button" disabled={isBusy} onClick={() => void request(documents.SendTestNotification, {})}>
              {texts.sendTest}
            </button>
          </>
        )}
      </p>
      <Problem text={problem} />
    </section>
  )
}

function SettingsForm({ settings: { pushSettings, presenceMode } }: { settings: NotificationSettingsQuery }) {
  const { client, run, isBusy, problem } = useAction()
  const [isSaved, setIsSaved] = useState(false)
  const { quietHours } = pushSettings
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setIsSaved(false)
    const form = new FormData(event.currentTarget)
    const [first] = quietHours
    const period = { days: first?.days ?? days, from: String(form.get('from')), until: String(form.get('until')) }
    const input = {
      level: levels.find((each) => each === form.get('level')) ?? null,
      showsText: form.has('showsText'),
      quietExceptMentions: form.has('exceptMentions'),
      quietExceptDirect: form.has('exceptDirect'),
      // Other periods were set elsewhere, and stay.
      quietHours: form.has('quiet') ? [period, ...quietHours.slice(1)] : [],
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    }
    const mode = modes.find((each) => each === form.get('mode')) ?? presenceMode
    void run(async () => {
      await client.request(documents.SetPushSettings, { input })
      if (mode !== presenceMode) await client.request(documents.SetPresenceMode, { input: { presenceMode: mode } })
    }).then(setIsSaved)
  }
  return (
    <form onSubmit={submit}>
      <h3>{texts.allDevices}</h3>
      <Choice name="level" label={texts.notifyOf} values={levels} names={texts.levels} value={pushSettings.level} />
      <Check name="showsText" text={texts.showsText} isOn={pushSettings.showsText} />
      <Choice name="mode" label={texts.presence} values={modes} names={texts.presenceModes} value={presenceMode} />
      <QuietHours period={quietHours[0] ?? null} />
      <Check name="exceptMentions" text={texts.exceptMentions} isOn={pushSettings.quietExceptMentions} />
      <Check name="exceptDirect" text={texts.exceptDirect} isOn={pushSettings.quietExceptDirect} />
      <Problem text={problem} />
      <button type="submit" className="primary" disabled={isBusy}>
        {texts.save}
      </button>
      <span role="status">{isSaved ? texts.saved : ''}</span>
    </form>
  )
}

function QuietHours({ period }: { period: { readonly from: string; readonly until: string } | null }) {
  const [isOn, setIsOn] = useState(period !== null)
  return (
    <>
      <Check name="quiet" text={texts.quietHours} isOn={isOn} onChange={setIsOn} />
      {isOn && (
        <div className="hours">
          <label>
            {texts.from}
            <input name="from" type="time" required defaultValue={period?.from ?? '22:00'} />
          </label>
          <label>
            {texts.until}
            <input name="until" type="time" required defaultValue={period?.until ?? '07:00'} />
          </label>
        </div>
      )}
    </>
  )
}

type ChoiceProps<Value extends string> = {
  name: string
  label: string
  values: readonly Value[]
  names: Readonly<Record<Value, string>>
  value: Value
}

function Choice<Value extends string>({ name, label, values, names, value }: ChoiceProps<Value>) {
  return (
    <label>
      {label}
      <select name={name} defaultValue={value}>
        {values.map((each) => (
          <option key={each} value={each}>
            {names[each]}
          </option>
        ))}
      </select>
    </label>
  )
}

type CheckProps = { name: string; text: string; isOn: boolean; onChange?: (isOn: boolean) => void }

function Check({ name, text, isOn, onChange }: CheckProps) {
  return (
    <label className="check">
      <input {...{ name, type: 'checkbox', defaultChecked: isOn }} onChange={({ target }) => onChange?.(target.checked)} />
      {text}
    </label>
  )
}

type LevelProps = { conversationId: string; level: PushLevel | null }

/** Of what the user is notified in one conversation. */
export function LevelField({ conversationId, level }: LevelProps) {
  const { request, problem } = useAction()
  const change = (value: string) => {
    const chosen = levels.find((each) => each === value) ?? null
    void request(documents.SetConversationPushLevel, { input: { conversationId, level: chosen } })
  }
  return (
    <label>
      {texts.notifications}
      <select value={level ?? ''} onChange={({ target }) => change(target.value)}>
        <option value="">{texts.asEverywhere}</option>
        {levels.map((each) => (
          <option key={each} value={each}>
            {texts.levels[each]}
          </option>
        ))}
      </select>
      <Problem text={problem} />
    </label>
  )
}
