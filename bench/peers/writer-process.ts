import { setTimeout as wait } from 'node:timers/promises'
import { openDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'

/** Commits one update each `everyMs`: of `ids[n]`, to the value `first + n`. */
export interface WriterOrder {
  readonly env: DatabaseEnv
  readonly ids: readonly string[]
  readonly first: number
  readonly everyMs: number
}

const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** The one writer of all measurements, in a process of its own; answers the times at which Postgres acknowledged each commit. */
async function write({ env, ids, first, everyMs }: WriterOrder): Promise<readonly number[]> {
  const database = await openDatabase(env, { prepare: true })
  const committedMs: number[] = []
  const startedMs = nowMs()
  for (const [at, id] of ids.entries()) {
    const aheadMs = startedMs + at * everyMs - nowMs()
    if (aheadMs > 0) await wait(aheadMs)
    await database.query('UPDATE public.item SET seq = $1::text::float8 WHERE id = $2', [String(first + at), id])
    committedMs.push(nowMs())
  }
  await database.close()
  return committedMs
}

process.on('message', (order: WriterOrder) => {
  write(order).then(
    (committedMs) => process.send?.(committedMs),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
