// What encryption erases when an account is deleted.

import type { Erasure } from '../account/erasure.ts'

/**
 * Removes the key packages of a user, and the names of the devices. The devices stay as removed ones: others verify with their keys what
 * they signed. The user leaves all groups, and direct conversations are closed, so that each needs a commit.
 */
export const encryptionErasure: Erasure = {
  async erase(tx, userId) {
    await tx.keyPackage.deleteMany({ where: { device: { userId } } })
    await tx.$executeRaw`
      update device set name = '', session_id = null, dismissed = true, removed_at = coalesce(removed_at, now()) where user_id = ${userId}`
    return []
  },
}
