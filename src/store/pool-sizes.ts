// How many connections to Postgres a node holds. docs/operations.md says it to operators, and a test compares the two.

import { appendLanesDefault } from '../config/variables.ts'

/**
 * By use: requests, snapshots, and work in the background. Of the last, eight are for workers of notifications and two for those of
 * files, two listen, one holds the locks of uploads, and the others are for the durable readers and loops.
 */
export const poolSizes = { shared: 10, snapshots: 4, jobs: 16 } as const

/** Those of the journal: one for each lane of appends, and for following, flushing, trimming and rare writes. */
export const journalPoolSize = (appendLanes: number) => appendLanes + 4

/** Those that a node needs besides while it starts: to migrate, and to look at what is between it and Postgres. */
const starting = 3

/** The connections of a node with the default settings, while it runs and at most. */
export const nodeConnections = poolSizes.shared + poolSizes.snapshots + poolSizes.jobs + journalPoolSize(appendLanesDefault)
export const nodeConnectionsMax = nodeConnections + starting
