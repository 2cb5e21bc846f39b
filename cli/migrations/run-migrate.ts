import { TidemarkError } from '../../protocol/errors.ts'
import type { Invocation } from '../command.ts'
import { applyMigrations } from './apply-migrations.ts'
import { startReplicaTrial } from './replica-trial.ts'
import { reportMigrations, reportPlan, reportTried } from './report-migrations.ts'
import { tryMigrations } from './try-migrations.ts'
import { type AppDatabase, withAppDatabase } from './with-app-database.ts'
import type { WritersBound } from './writers-bound.ts'

/** The time for which nobody minds a page that saves. */
export const WRITERS_WAIT_S = 30

/** Applies everything pending, or tries it, and prints what that did. */
export async function runMigrate(invocation: Invocation): Promise<number> {
  const waitMs = readWritersWait(invocation.values['writers-wait'])
  await withAppDatabase(invocation, async ({ app, sync, database, shown, openAnother }) => {
    if (invocation.switches.has('dry-run')) {
      console.log(`Trying on ${shown}, in one transaction that is rolled back.`)
      console.log('Locks are waited for 3 s at a time, and held until the last file was tried.')
      reportTried(await tryMigrations(database, app.migrations, sync, startReplicaTrial, reportPlan))
    } else {
      console.log(`Migrating ${shown}`)
      const watch = { onPlan: reportPlan, bound: waitMs === null ? undefined : boundOf(waitMs, openAnother) }
      reportMigrations(await applyMigrations(database, app.migrations, sync, startReplicaTrial, watch))
    }
  })
  return 0
}

/** Null where they may wait for as long as it takes. */
function readWritersWait(given = String(WRITERS_WAIT_S)): number | null {
  const seconds = Number(given)
  if (given.trim() === '' || !Number.isFinite(seconds) || seconds < 0)
    throw new TidemarkError('bad-input', `--writers-wait is ${given}: give seconds, such as 30, or 0 for no bound.`)
  return seconds === 0 ? null : seconds * 1000
}

function boundOf(ms: number, openAnother: AppDatabase['openAnother']): WritersBound {
  return {
    ms,
    cancel: async (processId) => {
      const other = await openAnother()
      try {
        await other.query('SELECT pg_cancel_backend($1::int)', [processId])
      } finally {
        await other.close()
      }
    },
  }
}
