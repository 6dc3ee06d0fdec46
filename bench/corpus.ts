// Texts for the search bench: mixed Korean and English, from vocabularies whose word frequencies are about as uneven as in real
// texts. The same seed gives the same texts.

/** A source of random numbers from 0 to 1 (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const common =
  '회의 오늘 내일 오전 오후 지금 시간 자료 확인 부탁 일정 서버 배포 오류 수정 검토 완료 질문 답변 점심 저녁 출근 퇴근 회사 프로젝트 고객 디자인 개발 테스트 문서 보고 계획 결과 문제 해결 공유 링크 파일 사진 주말'.split(
    ' ',
  )
const endings = [
  '',
  '',
  '은',
  '는',
  '이',
  '가',
  '을',
  '를',
  '에',
  '에서',
  '으로',
  '도',
  '입니다',
  '합니다',
  '했습니다',
  '할게요',
  '인가요',
  '하고',
]
const english =
  'meeting today tomorrow server deploy error fix review done question answer lunch project customer design build test document report plan result problem link file photo weekend please thanks okay ticket release branch merge update'.split(
    ' ',
  )
const syllables = [
  ...'가나다라마바사아자차카타파하거너더러머버서어저처고노도로모보소오조초구누두루무부수우주추기니리미비시이지치강남단발산전정진천한',
]

/** A source of texts of 3 to 12 words. */
export function createTexts(random: () => number): () => string {
  const below = (count: number) => Math.floor(random() * count)
  const rare = (of: readonly string[], letters: number) =>
    Array.from({ length: letters }, () => of[below(of.length)] ?? '').join('')
  const korean = [...common, ...Array.from({ length: 4_000 }, () => rare(syllables, 2 + below(2)))]
  const latin = [...english, ...Array.from({ length: 3_000 }, () => rare([...'abcdefghijklmnoprstuvw'], 4 + below(5)))]
  // The cube makes the first words of a list much more common than the last.
  const pick = (words: readonly string[]) => words[Math.floor(random() ** 3 * words.length)] ?? ''
  const word = () => (random() < 0.7 ? `${pick(korean)}${endings[below(endings.length)]}` : pick(latin))
  return () => Array.from({ length: 3 + below(10) }, word).join(' ')
}
