import { openReplica } from '../../dist/client/index.js'
import { sync } from '../../examples/tracker/sync.ts'
import { type BareLoad, bareLoadOf, loadBare } from '../bare-load.ts'
import { startBare } from './bare.ts'

export interface PageLoad {
  readonly rows: number
  /** From the call until all is loaded, and until the database was open. */
  readonly elapsedMs: number
  readonly openMs: number
  readonly firstRowMs: number | null
}

const ONE_ISSUE = 'SELECT title FROM public.issue WHERE id = $1'

/** Opens a replica on persistent storage in this tab; answers once it is whole, and leaves its issues for `loadBareIssues`. */
async function hydrate(url: string, user: string, token: string): Promise<PageLoad> {
  const start = performance.now()
  const replica = await openTracker(url, user, token)
  const openMs = performance.now() - start
  let firstRowMs: number | null = null
  replica.subscribe(({ hydration }) => {
    if (hydration && hydration.rows > 0) firstRowMs ??= performance.now() - start
  })
  await replica.ready
  const elapsedMs = performance.now() - start
  const { rows } = await replica.db.query<{ count: number }>('SELECT count(*)::int AS count FROM public.issue')
  return { rows: rows[0]?.count ?? 0, elapsedMs, openMs, firstRowMs }
}

const openTracker = (url: string, user: string, token: string) =>
  openReplica({ url, user, token: async () => token, sync, storage: `opfs-ahp://${user}` })

/** Opens a stored replica and leaves its issues to other tabs, and answers the id of one. */
async function leaveIssues(url: string, user: string, token: string): Promise<string> {
  const replica = await openTracker(url, user, token)
  await replica.ready
  const { text, ...load } = await bareLoadOf(replica.db, 'public.issue')
  const { rows } = await replica.db.query<{ id: string }>('SELECT id::text AS id FROM public.issue LIMIT 1')
  const cache = await caches.open('bench')
  await cache.put('/issues', new Response(text))
  await cache.put('/issues-load', new Response(JSON.stringify(load)))
  await replica.close()
  return rows[0]?.id ?? ''
}

async function issuesLeft(): Promise<BareLoad> {
  const cache = await caches.open('bench')
  const [text, load] = [await cache.match('/issues'), await cache.match('/issues-load')]
  if (!text || !load) throw new Error('No issues were left.')
  return { ...(await load.json()), text: await text.blob() }
}

/** Loads the issues that were left with one COPY into PGlite as it comes, on new storage of this name. */
async function loadBareIssues(name: string): Promise<PageLoad> {
  const issues = await issuesLeft()
  const start = performance.now()
  const db = await startBare(`opfs-ahp://${name}`)
  const openMs = performance.now() - start
  await loadBare(db, issues)
  return { rows: issues.rows, elapsedMs: performance.now() - start, openMs, firstRowMs: null }
}

/** Opens a stored replica offline; answers how long it took until it answered a query for one issue. */
async function openAgain(user: string, id: string): Promise<number> {
  const start = performance.now()
  const replica = await openTracker(location.origin, user, '')
  await replica.db.query(ONE_ISSUE, [id])
  return performance.now() - start
}

/** Opens the storage of `loadBareIssues` again; answers the same. */
async function openBareAgain(name: string, id: string): Promise<number> {
  const start = performance.now()
  const db = await startBare(`opfs-ahp://${name}`)
  await db.query(ONE_ISSUE, [id])
  return performance.now() - start
}

export const loads = { hydrate, leaveIssues, loadBareIssues, openAgain, openBareAgain }
