// What counts as an emoji. Pure.

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' })
const bytesMax = 64

/** Whether a text is one emoji as people see it: one grapheme of pictographs, a flag, or a keycap (UTS #51). */
export function isEmoji(text: string): boolean {
  if (Buffer.byteLength(text) > bytesMax || [...segmenter.segment(text)].length !== 1) return false
  return /\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|^[0-9#*]\uFE0F?\u20E3$/u.test(text)
}
