// The texts of the interface in English and Korean, by the language of the browser; and failures in a person's words.

import { ParleyFailure } from 'parley-client'
import { english } from './texts-english.ts'
import { korean } from './texts-korean.ts'

/** The language of the interface. */
export const language = navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en'

/** The texts of the interface. */
export const texts = language === 'ko' ? korean : english

/** Nobody has this username. */
export class UnknownUser extends Error {
  constructor(username: string) {
    super(texts.noSuchUser(username))
  }
}

/** What went wrong, for a person to read. */
export function sentenceOf(error: unknown): string {
  if (error instanceof UnknownUser) return error.message
  if (!(error instanceof ParleyFailure)) return texts.failed
  // The server's sentence has the reason, and when it ends.
  if (error.code === 'ACCOUNT_SUSPENDED') return texts.suspendedAs(error.message)
  const known: { readonly [code: string]: string | undefined } = texts.failures
  return known[error.code] ?? error.message
}

/** Why a session is over; null if the user ended it here. */
export function sentenceOfEnd(code: string): string | null {
  if (code === 'LOGGED_OUT') return null
  return code === 'ACCOUNT_SUSPENDED' ? texts.failures.ACCOUNT_SUSPENDED : texts.sessionEnded
}
