import type { Client } from '@neondatabase/serverless'

/** The driver's internals that are used here; without them statements simply go one after the other. */
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
 * Sends statements that the driver keeps back until earlier ones are answered: the server takes one after the other
 * anyway, and each wait costs a round trip. Each ends with a Sync of its own, so that one that fails changes nothing
 * for the next. The client must be connected.
 */
export function sendAhead(client: Client): void {
  const { connection, activeQuery, queryQueue = [] } = client as Client & Internals
  const before = activeQuery ? [activeQuery] : []
  for (const statement of queryQueue) {
    const { name } = statement
    if (!sent.has(statement)) {
      // The statement before it may plan this one, and only after that is it known whether it still has to be planned.
      const isPlanned = !name || connection?.parsedStatements?.[name] !== undefined
      if (!isPlanned && before.some((earlier) => earlier.name === name)) return
      // A statement that cannot be sent reports its error when its turn comes.
      if (statement.submit(connection) !== null) return
      sent.add(statement)
      statement.submit = () => null
    }
    before.push(statement)
  }
}
