// Finds usernames that look alike. One table is the source of both the function here and the one in Postgres; a test compares
// them. Letters are expanded, never contracted: contracting depends on where it begins (vvv is wv or vw), expanding does not.

/** Characters that are ignored. */
const ignored = '._-'
/** Characters that are replaced by another one. */
const alike = { 0: 'o', 1: 'l', i: 'l' } as const
/** Characters that are replaced by two, neither of which is itself a key of `alike` or `wide`. */
const wide = { w: 'vv', m: 'rn' } as const

/**
 * The skeleton of a username. Two usernames with the same skeleton are look-alikes, and only one of them may exist: Postgres
 * enforces that with a unique column computed by its function `username_skeleton`.
 */
export function skeletonOf(username: string): string {
  const parts: Readonly<Record<string, string>> = { ...alike, ...wide }
  return Array.from(username, (letter) => (ignored.includes(letter) ? '' : (parts[letter] ?? letter))).join('')
}

/** The body of the SQL function `username_skeleton` from the first migration. A change needs a migration that rewrites the column. */
export function skeletonSql(): string {
  const plain = `translate(username, '${Object.keys(alike).join('')}${ignored}', '${Object.values(alike).join('')}')`
  const expanded = Object.entries(wide).reduce((text, [letter, parts]) => `replace(${text}, '${letter}', '${parts}')`, plain)
  return `select ${expanded}`
}

/** The rule in words, for descriptions in the schema. */
export const lookalikeRule = '0 and o, 1, l and i, rn and m, and vv and w count as the same, and . _ - are ignored'
