// The people of the screenshots, and what they write: lines of an import (docs/platform.md), pictures as SVG, and reactions.

const oneMinuteMs = 60_000
const oneDayMs = 24 * 60 * oneMinuteMs

/** Today, so many minutes before now; or on a day before. */
const before = (minutes: number, days = 0) => new Date(Date.now() - minutes * oneMinuteMs - days * oneDayMs).toISOString()

const users = [
  ['mina', 'Mina Park'],
  ['joao', 'João Ribeiro'],
  ['aisha', 'Aisha Rahman'],
  ['tom', 'Tom Becker'],
  ['haneul', '김하늘'],
  ['layla', 'ليلى حداد'],
  ['greta', 'Greta Lindqvist'],
].map(([id, displayName]) => ({ type: 'user', id, username: id, displayName }))

type Said = readonly [sender: string, text: string, at: string, more?: object]

const market: readonly Said[] = [
  ['tom', 'The harbour office says we can have the whole quay on the first Sunday.', before(55, 1)],
  ['mina', 'Wonderful. How many stalls fit?', before(52, 1)],
  ['tom', 'Fourteen, if the bread van stands at the end. Plan: https://harbour.example/quay', before(51, 1)],
  ['aisha', 'I can bring lanterns, we have twenty of them from last year 🏮', before(140)],
  ['greta', '@mina will you make the sign again? Everybody loved the blue one.', before(138), { mentions: ['mina'] }],
  ['mina', 'Yes, this week. Blue it is.', before(126), { replyTo: 'market-4' }],
  ['mina', 'Who asks the band?', before(125)],
  ['joao', 'I do! They play until ten, and they only want soup.', before(31)],
]
const walk: readonly Said[] = [
  ['haneul', '이번 주말에 바닷가를 걸을까요?', before(300)],
  ['mina', '좋아요! 날씨도 맑대요.', before(295)],
]
const direct: { readonly [id: string]: readonly Said[] } = {
  layla: [
    ['mina', 'Is the café open on Friday?', before(420)],
    ['layla', 'نعم، نفتح من الثامنة صباحًا. أهلًا بك!', before(400)],
  ],
  tom: [
    ['tom', 'Thanks for yesterday, the soup was great.', before(30, 1)],
    ['mina', 'Any time 🙂', before(25, 1)],
  ],
  greta: [['greta', 'The blue paint is in my garage, take what you need.', before(90, 2)]],
}

const messagesOf = (conversation: string, said: readonly Said[]) =>
  said.map(([sender, text, createdAt, more], i) => ({
    ...{ type: 'message', id: `${conversation}-${i}`, conversation, sender, text, createdAt },
    ...more,
  }))
const membersOf = (...ids: readonly string[]) => ids.map((id, i) => ({ id, role: i === 0 ? 'OWNER' : 'MEMBER' }))

/** What is imported. */
export const lines: readonly object[] = [
  ...users,
  {
    ...{ type: 'conversation', id: 'market', title: 'Harbour market' },
    members: membersOf('tom', 'mina', 'joao', 'aisha', 'greta'),
  },
  { type: 'conversation', id: 'walk', title: '주말 산책', members: membersOf('haneul', 'mina') },
  ...Object.keys(direct).map((id) => ({ type: 'conversation', id, direct: ['mina', id] })),
  ...Object.entries({ ...direct, walk, market }).flatMap(([conversation, said]) => messagesOf(conversation, said)),
]

/** Who reacts to which message of the market, and how. */
export const reactions: readonly (readonly [user: string, text: string, emoji: string])[] = [
  ['mina', 'I can bring lanterns', '❤️'],
  ['joao', 'I can bring lanterns', '❤️'],
  ['tom', 'I can bring lanterns', '🎉'],
  ['aisha', 'Yes, this week', '👍'],
  ['mina', 'I do! They play', '🎉'],
]

/** A face on a ground: a head, shoulders, and hair of a colour. */
const face = (ground: string, skin: string, hair: string, cloth: string) => `
  <svg xmlns="http://www.w3.org/2000/svg" width="240" height="240" viewBox="0 0 120 120">
    <rect width="120" height="120" fill="${ground}"/>
    <path d="M30 62c-2-34 12-44 30-44s32 10 30 44c-1 14-4 24-6 28H36c-2-4-5-14-6-28z" fill="${hair}"/>
    <path d="M14 124c2-26 22-36 46-36s44 10 46 36z" fill="${cloth}"/>
    <rect x="50" y="74" width="20" height="20" rx="9" fill="${skin}"/>
    <ellipse cx="60" cy="58" rx="21" ry="25" fill="${skin}"/>
    <path d="M38 54c2-20 14-26 24-24 12 1 18 8 20 22-10-2-18-6-22-12-4 8-12 12-22 14z" fill="${hair}"/>
  </svg>`

/** Pictures of people, by user. */
export const avatars: { readonly [user: string]: string } = {
  mina: face('#9fd3e6', '#f0c9a8', '#2b2430', '#2456a6'),
  joao: face('#f2c879', '#c98f62', '#3a2417', '#2f6b4f'),
  aisha: face('#d9c2ee', '#b97d56', '#4a2f6b', '#8a3d6b'),
  tom: face('#bfe0b8', '#f3d3b8', '#b8763a', '#54606e'),
  haneul: face('#f6bdb3', '#f2cfae', '#201c1f', '#b3434b'),
}

/** A harbour in the evening. */
export const photo = `
  <svg xmlns="http://www.w3.org/2000/svg" width="960" height="540" viewBox="0 0 960 540">
    <defs>
      <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" stop-color="#3d5a98"/><stop offset=".55" stop-color="#e79a7b"/><stop offset="1" stop-color="#f8d59b"/>
      </linearGradient>
      <linearGradient id="sea" x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" stop-color="#d79a86"/><stop offset=".4" stop-color="#5d6d9a"/><stop offset="1" stop-color="#27375f"/>
      </linearGradient>
    </defs>
    <rect width="960" height="330" fill="url(#sky)"/>
    <circle cx="660" cy="272" r="46" fill="#fff1c9"/>
    <path d="M0 300l120-70 110 50 130-90 150 100 100-40 140 60 210-40v60H0z" fill="#54517e"/>
    <rect y="316" width="960" height="224" fill="url(#sea)"/>
    <path d="M560 332h200M600 352h130M575 376h170M610 402h100" stroke="#ffe9bd" stroke-width="6" stroke-linecap="round" opacity=".6"/>
    <g fill="#1d2542">
      <path d="M150 402h190l-26 40H182z"/><rect x="238" y="252" width="7" height="150"/>
      <path d="M250 262l74 122h-74z" fill="#f3ead9"/><path d="M233 276v108h-58z" fill="#e2d3bd"/>
      <path d="M430 372h96l-14 22h-68z"/><rect x="474" y="296" width="5" height="76"/>
      <path d="M482 302l36 60h-36z" fill="#f3ead9"/>
      <path d="M0 470h960v70H0z" fill="#2a2233"/>
      <rect x="820" y="330" width="9" height="142"/><circle cx="824" cy="322" r="15" fill="#ffdf8e"/>
    </g>
  </svg>`
