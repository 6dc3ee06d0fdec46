// Recognises variables that Kubernetes or Docker added to the environment. With a Kubernetes Service named `parley` or
// `parley-<anything>`, or with Docker's links, containers get variables such as PARLEY_SERVICE_HOST and
// PARLEY_PORT=tcp://10.0.0.7:4000. Name and value together distinguish them from misspelt settings.

import { isIP } from 'node:net'

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

const isAddress = (value: string) => isIP(value) !== 0
const isPort = (value: string) => /^\d{1,5}$/.test(value)
const isLink = (value: string) => /^(tcp|udp|sctp):\/\//.test(value)

/** The suffixes after the name of a Service or a link, with the form of their values. */
const forms: readonly (readonly [suffix: RegExp, isValue: (value: string) => boolean])[] = [
  [/_SERVICE_HOST$/, isAddress],
  [/_SERVICE_PORT(_[A-Z0-9_]+)?$/, isPort],
  [/_PORT$/, isLink],
  [/_PORT_\d+_(TCP|UDP|SCTP)$/, isLink],
  [/_PORT_\d+_(TCP|UDP|SCTP)_PROTO$/, (value) => /^(tcp|udp|sctp)$/.test(value)],
  [/_PORT_\d+_(TCP|UDP|SCTP)_PORT(_(START|END))?$/, isPort],
  [/_PORT_\d+_(TCP|UDP|SCTP)_ADDR$/, isAddress],
]

/** Docker's links also pass the name and the environment of the linked container. */
const linked = /^(.+?)_(NAME|ENV_.+)$/

/** Whether Kubernetes or Docker added this variable to the environment. */
export function isInjected(name: string, environment: Environment): boolean {
  const value = environment[name] ?? ''
  if (forms.some(([suffix, isValue]) => suffix.test(name) && isValue(value))) return true
  const [, link, what] = linked.exec(name) ?? []
  return link !== undefined && isLink(environment[`${link}_PORT`] ?? '') && (what !== 'NAME' || value.startsWith('/'))
}
