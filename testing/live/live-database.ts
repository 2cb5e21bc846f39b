import { followCommits } from '../../client/journal/follow-commits.ts'
import { LiveEngine, type LiveHost } from '../../client/live/live-engine.ts'
import type { LiveStore } from '../../client/live/live-rows.ts'
import { type LiveFront, startLive } from '../../client/live/start-live.ts'
import type { Database } from '../../client/store/database.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'

/** Live queries with their engine beside them. */
interface LiveParts extends LiveFront {
  readonly engine: LiveEngine
  stop(): Promise<void>
}

export function startLiveHere(host: LiveHost): LiveParts {
  const engine = new LiveEngine(host)
  const front = startLive(
    (send) => engine.connect(send),
    () => host.db.parsers,
  )
  const stop = () => {
    front.close()
    return engine.stop()
  }
  return { ...front, engine, stop }
}

export interface LiveDatabase extends LiveParts {
  readonly db: Database
  readonly warnings: string[]
}

/** Opens a database in memory with live queries over it, as a replica has them once it is whole. */
export async function openLiveDatabase(): Promise<LiveDatabase> {
  const db = await openPreparedDatabase({ kind: 'memory', name: '' })
  const warnings: string[] = []
  const { query, transaction, listen } = db
  const live = startLiveHere({
    db: { query: query.bind(db), transaction: transaction.bind(db), listen: listen.bind(db), parsers: db.parsers },
    ready: async () => undefined,
    isReady: () => true,
    warn: (loss) => warnings.push(loss),
  })
  followCommits(db, async () => live.engine.noteCall())
  db.live = live.namespace
  return { ...live, db, warnings }
}

/** Resolves with the rows of a store once they satisfy `test`; rejects with its error. Who calls it subscribes meanwhile. */
export function shown<Row>(
  store: LiveStore<Row>,
  test: (rows: readonly Row[]) => boolean = () => true,
): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const { rows, error } = store.getSnapshot()
      if (error === null && (rows === null || !test(rows))) return
      end()
      if (error === null) resolve(rows ?? [])
      else reject(error)
    }
    const end = store.subscribe(look)
    look()
  })
}

/** Resolves when what was committed before the call is shown by every live query. */
export async function everythingShown({ db }: Pick<LiveDatabase, 'db'>): Promise<void> {
  // Runs stand in one line, and the second fence is behind what a look for commits found.
  for (const _ of [1, 2]) {
    const fence = await db.live.query('SELECT 1 AS fence')
    await fence.refresh()
    await fence.unsubscribe()
  }
}

/** Answers how often a query has run. */
export const runsOf = ({ engine }: Pick<LiveParts, 'engine'>, text: string): number =>
  engine.describe().find((one) => one.text === text)?.runs ?? 0
