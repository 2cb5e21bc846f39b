import type { Client } from '@neondatabase/serverless'

/** What of the driver is used here; without it statements just go one after the other. */
interface Queue {
  readonly connection?: unknown
  readonly queryQueue?: Statement[]
}

interface Statement {
  submit(connection: unknown): Error | null
}

const sent = new WeakSet<Statement>()

/**
 * Sends what the driver keeps back until earlier statements are answered: the server takes one after the other anyway, and
 * each wait costs a round trip. Each ends with a Sync of its own, so that one that fails changes nothing for the next. For a
 * client that is connected.
 */
export function sendAhead(client: Client): void {
  const { connection, queryQueue = [] } = client as Client & Queue
  for (const statement of queryQueue) {
    if (sent.has(statement)) continue
    // One that cannot be sent says so at its turn.
    if (statement.submit(connection) !== null) return
    sent.add(statement)
    statement.submit = () => null
  }
}
