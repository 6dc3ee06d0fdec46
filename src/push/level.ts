// Which notification level applies, in SQL: decisions and badges follow the same rule.

/**
 * SQL: the notification level of a member in a conversation. The level that the member set for the conversation comes first, then
 * that of the account. MENTIONS as the level of the account includes all direct messages; as that of a conversation it does not.
 * Takes the aliases of `member`, `push_settings` (left-joined) and `conversation`.
 */
export const levelOf = (member: string, settings: string, conversation: string) =>
  `coalesce(${member}.push_level, case when ${settings}.level = 'MENTIONS' and ${conversation}.kind = 'DIRECT' then 'ALL'
    else coalesce(${settings}.level, 'ALL') end)`
