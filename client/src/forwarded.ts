// Tells copies from other messages.

/** The place of the version in a UUID. */
const versionAt = 14

/**
 * Whether a message is a copy that `forwardMessages` has sent. The key of a copy is a UUID of version 5, and that of a message that
 * this library sends of version 7; a message with a key of another client may be taken for a copy if that client uses version 5.
 */
export const isForwarded = ({ clientMessageId }: { readonly clientMessageId?: string | null }): boolean =>
  clientMessageId?.[versionAt] === '5'
