import type { Replica } from '../client/index.ts'

const TEXT = 'SELECT title FROM public.task WHERE id = $1'

export type LiveDatabase = Pick<Replica['db'], 'query' | 'live'>

/**
 * Opens a live query for each of these tasks and updates the first of them; answers the time of each update from its call
 * until its live query has shown it and a statement after it is answered.
 */
export async function liveUpdateDelays(db: LiveDatabase, ids: readonly string[], updates: number): Promise<number[]> {
  const [touched] = ids
  let shown: (title: string | undefined) => void = () => {}
  const opened = await Promise.all(
    ids.map((id) =>
      db.live.query<{ title: string }>(TEXT, [id], ({ rows }) => {
        if (id === touched) shown(rows[0]?.title)
      }),
    ),
  )
  const delaysMs: number[] = []
  for (let update = 0; update < updates; update++) {
    const title = `title ${update} ${crypto.randomUUID()}`
    const seen = new Promise<void>((resolve) => {
      shown = (now) => now === title && resolve()
    })
    const startMs = performance.now()
    await db.query('UPDATE public.task SET title = $1 WHERE id = $2', [title, touched])
    await seen
    // What other queries run because of it is part of what the update costs.
    await db.query('SELECT 1')
    delaysMs.push(performance.now() - startMs)
  }
  for (const query of opened) await query.unsubscribe()
  return delaysMs
}
