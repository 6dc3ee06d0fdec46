// `parley secrets`: replaces the secret that signs tokens, in steps. All nodes restart after each, and nobody is logged out.

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { readConfig } from '../config/read-config.ts'
import { rotateTokenSecret } from '../local/secrets.ts'
import { type Command, UsageError } from './command.ts'

export const secrets: Command = {
  summary: 'Replaces the secret that signs tokens, without logging anybody out.',
  usage: ['rotate'],
  help: `It takes three steps, and a restart of all nodes after each: the new secret is added, then put first, then the old one is
removed. If Parley keeps its secret in the data directory, each call does the next step and says what to do. If it is in
PARLEY_TOKEN_SECRET, the call makes a new secret and says where to put it.`,
  async run([action, ...given]) {
    if (action !== 'rotate' || given.length > 0) throw new UsageError('Unknown or missing action, or too many arguments.')
    const { secrets: configured, dataDirectory, tokens } = readConfig()
    const days = Math.ceil(tokens.refreshTtlS / 86_400)
    if (configured.token !== null) {
      return [
        `A new secret: ${randomBytes(32).toString('base64url')}`,
        '1. Add it at the end of PARLEY_TOKEN_SECRET, after a comma, and restart all nodes, one after the other.',
        '2. Put it first, and restart them again: it signs new tokens from then on.',
        `3. After ${days} days, when all tokens that the old one signed have expired, remove it and restart them again.`,
      ].join('\n')
    }
    const step = await rotateTokenSecret(path.resolve(dataDirectory), tokens.refreshTtlS)
    return {
      ADDED: '1 of 3: a new secret was added. Restart all nodes, one after another, and run this command again.',
      FIRST: `2 of 3: the new secret comes first. Restart all nodes. Run this command again after ${days} days, when all tokens that the old one signed have expired.`,
      REMOVED: '3 of 3: the old secret was removed. Restart all nodes.',
    }[step]
  },
}
