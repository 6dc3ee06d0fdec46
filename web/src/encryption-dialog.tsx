// Who can read an encrypted conversation: the devices of each person, and the safety number to compare with them.

import { Members } from 'parley-client/documents'
import type { Safety } from 'parley-client/e2ee'
import { type Conversation, type Person, useViewer } from 'parley-client/react'
import { useCallback, useEffect, useState } from 'react'
import { useAnswer } from './ask.ts'
import { Dialog, Problem } from './dialog.tsx'
import { useEncryption } from './encryption.ts'
import { nameOf } from './names.ts'
import { sentenceOf, texts } from './texts.ts'

export function EncryptionDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const viewer = useViewer()
  const { data, problem } = useAnswer(Members, { id: conversation.id, after: null })
  const others = (data?.conversation?.members.nodes ?? []).map(({ user }) => user).filter(({ id }) => id !== viewer?.id)
  return (
    <Dialog title={texts.encryption} onClose={onClose}>
      <p className="faint">{texts.encryptionExplained}</p>
      <ul className="people safety">
        {others.map((person) => (
          <PersonSafety key={person.id} person={person} />
        ))}
      </ul>
      <Problem text={problem} />
    </Dialog>
  )
}

function PersonSafety({ person }: { person: Person }) {
  const encryption = useEncryption()
  const [safety, setSafety] = useState<Safety | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const read = useCallback(() => {
    encryption?.people.safety(person.id).then(setSafety, (error: unknown) => setProblem(sentenceOf(error)))
  }, [encryption, person.id])
  useEffect(read, [read])
  const verify = () => {
    if (!encryption || !safety) return
    void encryption.people.verify(person.id, safety.number).then(read)
  }
  return (
    <li>
      <div className="names">
        <b dir="auto">{nameOf(person)}</b>
        {safety === null && problem === null && <small>{texts.loading}</small>}
        {safety && (
          <>
            <p className="number">{safety.number.match(/\d{5}/g)?.join(' ')}</p>
            <small>{texts.safety[safety.status]}</small>
            <ul className="devices">
              {safety.devices.map(({ deviceId, name }) => (
                <li key={deviceId} dir="auto">
                  {name}
                </li>
              ))}
            </ul>
          </>
        )}
        <Problem text={problem} />
      </div>
      {safety && safety.status !== 'VERIFIED' && (
        <button type="button" onClick={verify}>
          {texts.verify}
        </button>
      )}
    </li>
  )
}
