// What the next message does.

import type { Message } from 'parley-client/react'

/** The next message answers another one, or replaces the text of an own one. */
export type Reference = { readonly kind: 'reply' | 'edit'; readonly message: Message }
