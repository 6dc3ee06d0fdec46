// Checks DATABASE_URL, and extracts the parts that may be shown in messages.

/** The parts of a database URL that may be shown: never its password. */
export type DatabaseAddress = {
  /** The host with its port, or the path of a Unix socket's directory. */
  readonly host: string
  readonly user: string
  readonly database: string
}

/** A host for URLs with a user and no host, which `URL` refuses: their socket is in the query. */
const noHost = 'no-host.invalid'

function parse(text: string): URL | null {
  const url = URL.canParse(text) ? text : text.replace(/@(?=[/?]|$)/, `@${noHost}`)
  return URL.canParse(url) ? new URL(url) : null
}

/** Finds what is wrong with a database URL, as the end of a sentence; null if nothing is. */
export function findUrlFault(text: string): string | null {
  if (!/^postgres(ql)?:\/\//.test(text)) return 'must be a URL: postgresql://user:password@host:5432/database'
  const authority = /^\w+:\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(text)?.[1] ?? ''
  if (/,/.test(authority)) return 'names several hosts: Parley needs a single address, which leads to the primary'
  const url = parse(text)
  if (url === null || url.hash !== '') {
    return 'cannot be read as a URL: percent-encode special characters in the user and the password (# is %23, / is %2F, ? is %3F, @ is %40)'
  }
  const schema = url.searchParams.get('schema')
  if (schema !== null && schema !== 'public') {
    return `asks for the schema ${schema}, but Parley keeps its tables in the schema public: use a separate database, and remove ?schema`
  }
  return null
}

/** Extracts the parts of a database URL that may be shown. */
export function addressOf(text: string): DatabaseAddress {
  const url = parse(text)
  if (url === null) return { host: 'its host', user: '', database: '' }
  const { searchParams } = url
  const [host, socket] = [url.host === noHost ? '' : url.host, searchParams.get('host') ?? '']
  const user = searchParams.get('user') ?? decoded(url.username)
  const database = decoded(url.pathname.slice(1))
  return { host: socket || decoded(host) || 'localhost', user, database: database || user }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
