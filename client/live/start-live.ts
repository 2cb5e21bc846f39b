import type { LiveNamespace } from '@electric-sql/pglite/live'
import type { Parsers } from '../store/rules/parse-rows.ts'
import { LiveClient } from './live-client.ts'
import type { LiveConnection, LiveMessage } from './live-messages.ts'
import { makeNamespace } from './live-namespace.ts'
import type { Live, LiveQuery } from './live-rows.ts'
import { LiveStores } from './live-stores.ts'

/** The live queries of a page, wherever the engine runs. */
export interface LiveFront {
  readonly live: Live
  readonly namespace: LiveNamespace
  /** Opens all queries with an engine that does not know them, each with what is held of it. */
  openAgain(): void
  /** Ends all; nothing is called back any more. */
  close(): void
  /** Ends all, and empties what they show. */
  leave(): void
}

export function startLive(
  connect: (send: (message: LiveMessage) => void) => LiveConnection,
  parsers: () => Parsers,
): LiveFront {
  const client = new LiveClient(connect)
  const stores = new LiveStores(client, parsers)
  return {
    live: ((query: LiveQuery) => stores.storeOf(query)) as Live,
    namespace: makeNamespace(stores),
    openAgain: () => client.openAgain(),
    close: () => client.close(),
    leave() {
      client.close()
      stores.emptyAll()
    },
  }
}
