// Erases a user's notification data when the account is deleted.

import type { Erasure } from '../account/erasure.ts'

/** Removes the registered devices, the settings and the decisions of a user. */
export const pushErasure: Erasure = {
  async erase(tx, userId) {
    await tx.pushRegistration.deleteMany({ where: { userId } })
    await tx.pushSettings.deleteMany({ where: { userId } })
    await tx.pushDelivery.deleteMany({ where: { userId } })
    return []
  },
}
