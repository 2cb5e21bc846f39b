import type { Replica } from '../client/index.ts'

/** Updates one task again and again; answers the time of each from its call to the callback of a live query. */
export async function localWriteDelays(db: Pick<Replica['db'], 'query' | 'live'>, writes: number): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>('SELECT id::text AS id FROM public.task ORDER BY id LIMIT 1')
  const id = rows[0]?.id
  let shown: (title: string | undefined) => void = () => {}
  const live = await db.live.query<{ title: string }>('SELECT title FROM public.task WHERE id = $1', [id], (result) =>
    shown(result.rows[0]?.title),
  )
  const delaysMs: number[] = []
  for (let write = 0; write < writes; write++) {
    const title = `local ${write}`
    const startMs = performance.now()
    const seen = new Promise<void>((resolve) => {
      shown = (now) => now === title && resolve()
    })
    await db.query('UPDATE public.task SET title = $1 WHERE id = $2', [title, id])
    await seen
    delaysMs.push(performance.now() - startMs)
  }
  await live.unsubscribe()
  return delaysMs
}
