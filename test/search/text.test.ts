// How search reads texts: what is the same letter, what is a word, what the index holds and where a query is met. Pure.

import { describe, expect, test } from 'vitest'
import { findRanges } from '../../src/search/highlights.ts'
import { indexText, parseQuery, type Query } from '../../src/search/terms.ts'
import { readText } from '../../src/search/text.ts'
import { type Random, withSeed } from '../journal/random.ts'

const folded = (text: string) =>
  readText(text)
    .map(({ characters }) => characters.join(''))
    .join('')

function query(text: string): Query {
  const parsed = parseQuery(text)
  if (!parsed) throw new Error(`nothing to look for: ${text}`)
  return parsed
}

const met = (text: string, words: string) => findRanges(text, query(words))?.map(({ start, end }) => text.slice(start, end))

describe('the same letter', () => {
  test.each([
    ['case', 'PaRLeY', 'parley'],
    ['accents', 'Crème Brûlée', 'creme brulee'],
    ['accents apart from their letters', 'Cafe\u0301', 'cafe'],
    ['letters that hold their stroke', 'Øre Łódź æble', 'ore lodz aeble'],
    ['sharp s', 'STRASSE Straße STRAẞE', 'strasse strasse strasse'],
    ['sigma at the end', 'ΣΊΣΥΦΟΣ Σίσυφος', 'σισυφοσ σισυφοσ'],
    ['dotless and dotted i', 'İstanbul ısı', 'istanbul isi'],
    ['full width', 'ＡＢＣ１２３％', 'abc123%'],
    ['half-width kana', 'ｶﾞｷﾞ ﾊﾟﾝ', 'ガギ パン'],
    ['Hangul in parts', '한글'.normalize('NFD'), '한글'],
    ['signs made of letters', '㈜ ﬁn №', '(주) fin no'],
    ['invisible characters', 'zero\u200bwidth\u00adhyphen', 'zerowidthhyphen'],
    ['Arabic vowels', 'مُحَمَّد', 'محمد'],
    ['white space of all kinds', 'a \t\n\u3000b', 'a b'],
  ])('%s', (_what, text, same) => {
    expect(folded(text)).toBe(same)
  })

  test('a voicing mark is no accent: か and が are two letters', () => {
    expect(folded('がぎぐ')).toBe('がぎぐ')
    expect(folded('か\u3099')).toBe('が')
    expect(met('がっこう', 'か')).toBeUndefined()
  })

  test('case and form never matter, for any letter', () => {
    const wrong: string[] = []
    for (let code = 0; code < 0x10000; code += 1) {
      if (code >= 0xd800 && code < 0xe000) continue
      // The iota below a Greek letter is dropped as an accent; in capitals it is a letter of its own.
      if (code === 0x345 || (code >= 0x1f80 && code <= 0x1fff)) continue
      const character = String.fromCodePoint(code)
      const form = folded(character)
      const others = [
        character.toUpperCase(),
        character.toLowerCase(),
        character.normalize('NFD'),
        character.normalize('NFKC'),
        form,
      ]
      if (others.some((other) => folded(other) !== form)) wrong.push(code.toString(16))
    }
    expect(wrong).toEqual([])
  })
})

describe('a query is met', () => {
  test.each([
    ['two syllables out of the middle', '오늘회의록입니다', '회의', ['회의']],
    ['one syllable', '내일 봐요', '봐', ['봐']],
    ['the last syllable of a run', '내일 봐요', '요', ['요']],
    ['Japanese, kana and Han', '東京タワーに行きました', 'タワー', ['タワー']],
    ['Chinese', '我们明天开会', '明天', ['明天']],
    ['Latin beside Hangul', 'iPhone을 샀어요', 'iphone', ['iPhone']],
    ['the beginning of a word, by the last word', 'the meeting', 'meet', ['meet']],
    ['all words, in any order', 'tomorrow we meet', 'meet tomorrow', ['tomorrow', 'meet']],
    ['case and accents', 'un CAFÉ noir', 'cafe', ['CAFÉ']],
    ['accents apart, whole', 'cafe\u0301!', 'café', ['cafe\u0301']],
    ['every place', '회의 전 회의', '회의', ['회의', '회의']],
    ['symbols', '100% sure', '100%', ['100%']],
    ['an emoji of several parts', 'hi 👩‍👩‍👧!', '👩‍👩‍👧', ['👩‍👩‍👧']],
  ])('by %s', (_what, text, words, ranges) => {
    expect(met(text, words)).toEqual(ranges)
  })

  test.each([
    ['syllables that stand apart', '회사와 의논', '회의'],
    ['pairs that are all there but not in a row', '나다 가나', '가나다'],
    ['the middle of a word', 'the meeting', 'eeting'],
    ['a word of which only the beginning is there, unless it is the last', 'meeting tomorrow', 'meet tom'],
    ['one of two words', 'only meet', 'meet tomorrow'],
    ['a wildcard', 'abc', 'a%c'],
    ['another one', 'abc', 'a_c'],
    ['a third one', 'abcd', 'ab*'],
  ])('not by %s', (_what, text, words) => {
    expect(met(text, words)).toBeUndefined()
  })

  test('nothing to look for is no query, and nothing to find is not in the index', () => {
    for (const text of ['', '   ', '\u200b', '\u0301']) {
      expect(parseQuery(text)).toBeNull()
      expect(indexText(text)).toBeNull()
    }
  })

  test('the operators of tsquery are characters like others', () => {
    expect(query(`it's | !a`).wanted).toBe(`'it' & '''' & 's' & '|' & '!' & 'a':*`)
    expect(query('\\').wanted).toBe(`'\\\\'`)
  })
})

describe('whatever is written', () => {
  const alphabet = [...'aAéÉßzZ09 _%*\'"\\|&!():<-가각회의록ᄏ한か゛がガｶﾞ東京中👩‍🦜\u0301\u3099\u200d\n']
  const draw = (random: Random, most: number) =>
    Array.from({ length: random.whole(1, most) }, () => random.one(alphabet as [string, ...string[]])).join('')

  test('the body holds each part of a query exactly where the ranges say, and the terms hold all that is wanted', () =>
    withSeed(async (random) => {
      let hits = 0
      for (let round = 0; round < 20_000; round += 1) {
        const text = draw(random, 12)
        const words = random.chance(0.5)
          ? draw(random, 3)
          : [...text].slice(random.whole(0, 4)).slice(0, random.whole(1, 5)).join('')
        const [indexed, wanted] = [indexText(text), parseQuery(words)]
        if (!wanted) continue
        const ranges = findRanges(text, wanted)
        const isMet = wanted.parts.every((part) => indexed?.body.includes(part))
        expect(ranges !== null, JSON.stringify([text, words])).toBe(isMet)
        if (!ranges) continue
        hits += 1
        for (const [i, { start, end }] of ranges.entries()) {
          expect(start, JSON.stringify([text, words])).toBeLessThan(end)
          if (i > 0) expect(start).toBeGreaterThan(ranges[i - 1]?.end ?? -1)
        }
        // What is found by reading is found by the index: no wanted term is missing.
        const terms = ` ${indexed?.terms} `
        for (const term of wanted.wanted.split(/ & (?=')/)) {
          const isThere = term.endsWith(':*') ? terms.includes(` ${term.slice(0, -3)}`) : terms.includes(` ${term} `)
          expect(isThere, JSON.stringify([text, words, term])).toBe(true)
        }
      }
      expect(hits).toBeGreaterThan(2_000)
    }))

  test('the longest texts stay within what a tsvector takes', () => {
    const han = Array.from({ length: 100_000 }, (_, i) => String.fromCodePoint(0x20000 + ((i * 7) % 40_000))).join('')
    const words = Array.from({ length: 20_000 }, (_, i) => `w${i}`).join(' ')
    for (const text of [han, words, 'x'.repeat(100_000)]) {
      expect(Buffer.byteLength(indexText(text)?.terms ?? '')).toBeLessThan(1_048_576)
    }
  })
})
