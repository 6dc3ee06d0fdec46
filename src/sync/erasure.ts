// What synchronisation erases when an account is deleted.

import type { Erasure } from '../account/erasure.ts'

/** Removes the acknowledgements of a user's devices. */
export const syncErasure: Erasure = {
  async erase(tx, userId) {
    await tx.acknowledgement.deleteMany({ where: { session: { userId } } })
    return []
  },
}
