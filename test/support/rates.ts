// Tests and load do more in a second than people.

/** Rates that nobody reaches, as environment variables. */
export const unlimited: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['SENDS', 'MUTATIONS', 'QUERIES', 'SEARCHES', 'SIGNALS', 'ANONYMOUS'].map((kind) => [
      `PARLEY_RATE_${kind}`,
      '1000000/1000000',
    ]),
  ),
  PARLEY_SOCKETS_PER_USER_MAX: '1000000',
  PARLEY_EVENT_STREAMS_PER_USER_MAX: '1000000',
  PARLEY_HANDSHAKES_PER_S_MAX: '1000000',
  PARLEY_SIGN_UPS_PER_ADDRESS_MAX: '1000000',
  PARLEY_FAILED_LOG_INS_MAX: '1000000',
  PARLEY_FAILED_LOG_INS_PER_ACCOUNT_MAX: '1000000',
}
