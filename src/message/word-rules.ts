// The operator's word rules: words that refuse a message, that are masked in it, or that report it to the moderators. A word matches
// whole words, in any case and width; one of a script without spaces matches anywhere. There are no patterns, so a text takes time
// in proportion to its length. Without rules, nothing of this is on the path of a send.

import type { Config } from '../config/config.ts'
import type { MessageId, UserId } from '../id.ts'
import type { App } from '../parts.ts'

declare module '../parts.ts' {
  interface App {
    /** Null without rules. */
    readonly wordRules: WordRules | null
  }
}

/** What the rules make of a text. */
export type WordVerdict = {
  readonly isRefused: boolean
  readonly isFlagged: boolean
  /** The text with its masked words replaced. */
  readonly text: string
}

/** Tells moderators about a message with a flagged word. */
export type ReportFlagged = (messageId: MessageId, senderId: UserId, app: App) => Promise<void>

/** The word rules of a node. */
export type WordRules = {
  judge(text: string): WordVerdict
  /** Reports a message that was sent, or edited. Repeating it changes nothing. */
  readonly report: ReportFlagged
}

const word = /[\p{L}\p{M}\p{N}]+/gu
const withoutSpaces =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
const fold = (text: string) => text.normalize('NFKC').toLowerCase()
const mask = (text: string) => '*'.repeat([...text].length)

/** Makes the rules of a configuration; null if it has none. */
export function createWordRules({ refused, masked, flagged }: Config['words'], report: ReportFlagged): WordRules | null {
  if (refused.length + masked.length + flagged.length === 0) return null
  const [refusing, masking, flagging] = [listOf(refused), listOf(masked), listOf(flagged)]
  return {
    report,
    judge(text) {
      let [isRefused, isFlagged] = [false, false]
      const shown = text.replaceAll(word, (found) => {
        const folded = fold(found)
        isRefused ||= refusing.has(folded)
        isFlagged ||= flagging.has(folded)
        return masking.has(folded) ? masking.masked(found, folded) : found
      })
      return { isRefused, isFlagged, text: shown }
    },
  }
}

function listOf(words: readonly string[]) {
  const folded = words.map(fold)
  const whole = new Set(folded)
  const parts = folded.filter((each) => withoutSpaces.test(each))
  return {
    has: (found: string) => whole.has(found) || parts.some((part) => found.includes(part)),
    /** A word with what matches in it replaced; all of it where the places are not those of the folded word. */
    masked(found: string, inFolded: string): string {
      if (whole.has(inFolded) || found.length !== inFolded.length) return mask(found)
      const hidden = new Set<number>()
      for (const part of parts) {
        for (let at = inFolded.indexOf(part); at >= 0; at = inFolded.indexOf(part, at + 1)) {
          for (let i = at; i < at + part.length; i += 1) hidden.add(i)
        }
      }
      return found.replaceAll(/[\s\S]/gu, (character, at: number) => (hidden.has(at) ? '*' : character))
    },
  }
}
