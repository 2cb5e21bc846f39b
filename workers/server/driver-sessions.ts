import {
  type Database,
  type DriverClient,
  ENDING_SESSION,
  endSession,
  openOver,
  type Statement,
} from '../database/index.ts'
import { PUSH_SESSION, type PushSessions } from '../push/push-sessions.ts'
import { isTransactionStatement } from '../push/rules/action-statement.ts'

/** A client of node-postgres (`pg.Client`), or one that is like it. */
export interface PgClient {
  connect(): Promise<unknown>
  query(config: {
    text: string
    values?: unknown[]
    name?: string
    rowMode?: string
    types?: { getTypeParser(): (value: string) => string }
  }): Promise<{ rows: unknown[]; command: string }>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  end(): Promise<void>
}

const RAW_TEXT = { getTypeParser: () => (value: string) => value }

/** Sessions of the app's own driver; each is ours alone, because a session of a pool has the app's settings. */
export function driverSessions<Client extends PgClient>(
  newClient: () => Client,
): { readonly sessions: PushSessions; clientOf(database: Database): Client } {
  const clients = new WeakMap<Database, Client>()
  const open: PushSessions['open'] = async () => {
    const client = newClient()
    const database = await openOver(asDriver(client), PUSH_SESSION)
    clients.set(database, withinTransaction(client))
    return database
  }
  return {
    sessions: {
      open,
      end: (ending) => endSession((work) => inAnother(newClient(), work), ending, PUSH_SESSION.applicationName),
    },
    clientOf: (database) => {
      const client = clients.get(database)
      if (!client) throw new Error('This session is of another opener.')
      return client
    },
  }
}

/** The client as halves get it: a transaction of an ORM that they come with would commit the mutation's own. */
function withinTransaction<Client extends PgClient>(client: Client): Client {
  const query = (...call: Parameters<Client['query']>) => {
    const [statement] = call as readonly unknown[]
    if (isTransactionStatement(textOf(statement)))
      throw new Error('This runs in the transaction of the mutation, which its driver neither begins nor ends.')
    return Reflect.apply(client.query, client, call)
  }
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'query') return query
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement
  const { text } = typeof statement === 'object' && statement !== null && 'text' in statement ? statement : { text: '' }
  return typeof text === 'string' ? text : ''
}

async function inAnother(client: PgClient, work: (database: Database) => Promise<unknown>): Promise<unknown> {
  const database = await openOver(asDriver(client), ENDING_SESSION)
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

/** One statement after the other: a client of node-postgres is not to be given a second one while it runs one. */
export function asDriver(client: PgClient): DriverClient {
  let last: Promise<unknown> = Promise.resolve()
  const send = (statement: Statement | string) =>
    client.query({ ...(typeof statement === 'string' ? { text: statement } : statement), types: RAW_TEXT })
  return {
    connect: () => client.connect(),
    query: async <Row>(statement: Statement | string) => {
      const before = last
      const answer = before.catch(() => {}).then(() => send(statement))
      last = answer.catch(() => {})
      const { rows, command } = await answer
      // Rows come as they were asked for, all values as text.
      return { rows: rows as Row[], command }
    },
    on: (event, listener) => (event === 'end' ? client.on('end', listener) : client.on('error', listener)),
    end: () => client.end(),
  }
}
