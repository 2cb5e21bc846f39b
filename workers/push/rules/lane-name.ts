/**
 * Four lanes of four connections bound how many of the database's connections pushes keep open, however many users
 * write.
 */
const LANES = 4

/** Names the SyncDO, one without sockets, over whose connections this user's pushes go; always the same. */
export function laneName(userId: string): string {
  let sum = 0
  for (let place = 0; place < userId.length; place += 1) sum = (Math.imul(sum, 31) + userId.charCodeAt(place)) | 0
  return `push-${Math.abs(sum) % LANES}`
}
