// A message that is not sent yet: under way, with the progress of its files, or refused, to send again or discard.

import { type OutboxMessage, ParleyFailure } from 'parley-client'
import { useSend } from 'parley-client/react'
import { Icon } from './icon.tsx'
import { sentenceOf, texts } from './texts.ts'
import { clockOf } from './time.ts'

export function PendingRow({ message }: { message: OutboxMessage }) {
  const { input, status, failure, queuedAt, uploads } = message
  const { files = [], text } = input
  const isFailed = status === 'FAILED'
  return (
    <li className={`message own first ${isFailed ? 'failed' : 'pending'}`}>
      <b className="unseen">{texts.you}</b>
      <div className="line">
        <div className="bubble">
          {text !== '' && (
            <p className="text" dir="auto">
              {text}
            </p>
          )}
          {files.map(({ fileName, blob }, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the files of a message keep their order
            <div key={i} className="upload">
              <span dir="auto">{fileName}</span>
              <progress aria-label={fileName} max={blob.size} value={uploads[i]?.sentBytes ?? 0} />
            </div>
          ))}
          <p className="meta">
            <time dateTime={queuedAt.toISOString()}>{clockOf(queuedAt.toISOString())}</time>
            {!isFailed && (
              <span className="state" role="img" aria-label={texts.pending} title={texts.pending}>
                <Icon name={status === 'SENT' ? 'check' : 'clock'} />
              </span>
            )}
          </p>
        </div>
      </div>
      {isFailed && (
        <Refusal message={message} why={failure ? sentenceOf(new ParleyFailure(failure.code, failure.message, false)) : ''} />
      )}
    </li>
  )
}

function Refusal({ message: { clientMessageId, input }, why }: { message: OutboxMessage; why: string }) {
  const { retry, discard } = useSend(input.conversationId)
  return (
    <p className="refusal" role="alert">
      {texts.notSent}. {why}{' '}
      <button type="button" className="link" onClick={() => void retry(clientMessageId)}>
        {texts.sendAgain}
      </button>{' '}
      <button type="button" className="link" onClick={() => void discard(clientMessageId)}>
        {texts.discard}
      </button>
    </p>
  )
}
