// Where people are, as far as notifications go: the one place of push that asks presence. Until there is presence nobody is known
// to be anywhere, and all devices are offline.

import type { App } from '../app.ts'
import type { Situation } from './decide.ts'

/** Where somebody is. */
export type Whereabouts = Pick<Situation, 'devices' | 'isDoNotDisturb'>

const nowhere: Whereabouts = { devices: [], isDoNotDisturb: false }

/** Where these people are. Never rejects: what cannot be learned in time is taken for offline. */
export async function readWhereabouts(_app: App, userIds: readonly number[]): Promise<ReadonlyMap<number, Whereabouts>> {
  return new Map(userIds.map((userId) => [userId, nowhere]))
}
