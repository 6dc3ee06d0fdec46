// The library's own operations. test/client/operations.test.ts checks them against the schema.

export const refreshSession = `mutation RefreshSession($input: RefreshSessionInput!) {
  refreshSession(input: $input) { accessToken refreshToken expiresAt }
}`
export const renewConnection = `mutation RenewConnection($input: RenewConnectionInput!) {
  renewConnection(input: $input) { expiresAt }
}`
export const logOut = `mutation LogOut { logOut { sessionId } }`
export const sendMessage = `mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id seq createdAt } cursor }
}`
export const createUpload = `mutation CreateUpload($input: CreateUploadInput!) {
  createUpload(input: $input) { attachment { id } upload { url headers expiresAt resumableUrl } }
}`
export const gateway = `query Gateway($region: String) {
  gateway(region: $region) { node { url } fallbacks { url } }
}`
export const acknowledge = `mutation Acknowledge($input: AcknowledgeInput!) {
  acknowledge(input: $input) { session { id } }
}`
export const heartbeat = `mutation Heartbeat($input: HeartbeatInput) { heartbeat(input: $input) { __typename } }`
