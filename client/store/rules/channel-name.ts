/** Answers the name that Postgres gives a channel: what stands in quotes as it is, else in lower case. */
export function channelName(channel: string): string {
  return channel.startsWith('"') && channel.endsWith('"') ? channel.slice(1, -1) : channel.toLowerCase()
}
