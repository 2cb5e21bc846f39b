import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { splitStatements } from './split-statements.ts'
import { effectOf } from './statement-effect.ts'

/** How long those who write may have to wait for a migration. */
export interface WritersBound {
  readonly ms: number
  /** Ends the statement that a process of the server runs now, from another connection. */
  cancel(processId: string): Promise<void>
}

const LIVE = `
  SELECT coalesce(json_agg(c.oid::text), '[]')::text AS live FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidemark')`
/** The modes in which a row cannot be written by others. */
const HELD = `
  SELECT l.relation::regclass::text AS name FROM pg_locks l
  WHERE l.pid = pg_backend_pid() AND l.granted AND l.locktype = 'relation' AND l.relation = ANY ($1::oid[])
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  LIMIT 1`

/**
 * Runs a transaction so that nobody who writes a table which was there before it waits for longer than the bound: from the
 * statement that locked the first of them, its own waiting included, to the end. Throws `limit-exceeded` beyond that.
 */
export async function withinBound<Result>(
  { query, processId }: { readonly query: Query; readonly processId: string },
  what: string,
  bound: WritersBound,
  run: (query: Query) => Promise<Result>,
): Promise<Result> {
  const [found] = await query(LIVE)
  const live = `{${(JSON.parse(found?.live ?? '[]') as string[]).join()}}`
  const state: { locked: string | null; since: number | null; isOver: boolean; timer?: NodeJS.Timeout } = {
    locked: null,
    since: null,
    isOver: false,
  }
  const refuse = () => {
    const table = state.locked === null ? 'a table' : `table ${state.locked}`
    return new TidemarkError(
      'limit-exceeded',
      `${what} would keep everyone who writes ${table} waiting for longer than ${bound.ms / 1000} s, and nothing of it was committed. ` +
        'Divide it (docs/migrations.md, "While others write"), or run it when they may wait, with --writers-wait <seconds>.',
    )
  }
  const end = () => {
    state.isOver = true
    // Where nothing runs there now, the next statement is refused here.
    bound.cancel(processId).catch(() => {})
  }
  const disarm = () => {
    clearTimeout(state.timer)
    state.since = null
  }
  const runOne: Query = async (text, params) => {
    if (state.isOver) throw refuse()
    const isFirst = state.since === null && mayLock(text)
    if (isFirst) {
      state.since = Date.now()
      state.timer = setTimeout(end, bound.ms)
    }
    try {
      const rows = await query(text, params)
      if (isFirst) {
        const [held] = await query(HELD, [live])
        if (held) state.locked = held.name ?? null
        else disarm()
      }
      return rows
    } catch (error) {
      if (state.isOver) throw refuse()
      throw error
    }
  }
  const bounded: Query = async (text, params) => {
    const parts = params === undefined && state.since === null ? splitStatements(text) : null
    if (parts === null || parts.length < 2) return await runOne(text, params)
    // The wait begins with the statement that locks, wherever it stands among those that are sent as one.
    let rows: Awaited<ReturnType<Query>> = []
    for (const part of parts) rows = await runOne(part)
    return rows
  }
  try {
    const result = await run(bounded)
    if (state.isOver) throw refuse()
    return result
  } finally {
    disarm()
  }
}

/** Points of return lock nothing, and neither does what only writes rows. */
function mayLock(text: string): boolean {
  if (/^\s*(savepoint|release|rollback|set)\b/i.test(text)) return false
  return /^\s*lock\b/i.test(text) || ['schema', 'both'].includes(effectOf(text))
}
