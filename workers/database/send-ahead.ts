import type { Client } from '@neondatabase/serverless'

/** What of the driver is used here; without it statements just go one after the other. */
interface Internals {
  readonly connection?: { readonly parsedStatements?: Readonly<Record<string, string>> }
  readonly activeQuery?: Statement | null
  readonly queryQueue?: Statement[]
}

interface Statement {
  /** The name of a prepared statement, which is planned once. */
  readonly name?: string
  submit(connection: unknown): Error | null
}

const sent = new WeakSet<Statement>()

/**
 * Sends what the driver keeps back until earlier statements are answered: the server takes one after the other anyway, and
 * each wait costs a round trip. Each ends with a Sync of its own, so that one that fails changes nothing for the next. For a
 * client that is connected.
 */
export function sendAhead(client: Client): void {
  const { connection, activeQuery, queryQueue = [] } = client as Client & Internals
  const before = activeQuery ? [activeQuery] : []
  for (const statement of queryQueue) {
    const { name } = statement
    if (!sent.has(statement)) {
      // It may be planned by the one before: only then is it known whether it has to be.
      const isPlanned = !name || connection?.parsedStatements?.[name] !== undefined
      if (!isPlanned && before.some((earlier) => earlier.name === name)) return
      // One that cannot be sent says so at its turn.
      if (statement.submit(connection) !== null) return
      sent.add(statement)
      statement.submit = () => null
    }
    before.push(statement)
  }
}
