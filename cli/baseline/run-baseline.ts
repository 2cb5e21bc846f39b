import { TidemarkError } from '../../protocol/errors.ts'
import { findApp } from '../app/app-folder.ts'
import type { Invocation } from '../command.ts'
import { withMigrationDatabase } from '../migrations/with-app-database.ts'
import { markBaseline } from './mark-baseline.ts'

/** Marks the files of an app as run, or says which it would mark. */
export async function runBaseline({ argument, values, switches }: Invocation): Promise<number> {
  const app = findApp(argument ?? '.')
  const isTrial = switches.has('dry-run')
  const { own, marked, checked, notes } = await withMigrationDatabase(values['database-url'], ({ database, shown }) => {
    console.log(`${isTrial ? 'Looking at' : 'Marking on'} ${shown}`)
    const choices = { until: values.until, isTrial, isUnchecked: switches.has('unchecked') }
    return markBaseline(database, app.migrations, choices)
  })
  for (const name of own) console.log(`Applied ${name}`)
  for (const name of marked)
    console.log(isTrial ? `Would mark ${name} as run before.` : `Marked ${name} as run before: nothing of it was run.`)
  if (marked.length === 0) console.log('Every file is on record: nothing to mark.')
  for (const line of [checked, ...notes]) if (line !== null) console.log(line)
  console.log(
    isTrial ? 'Nothing was changed.' : 'tidemark migrate runs what comes after, and puts the sync definition in force.',
  )
  return 0
}

/** Throws `bad-input` for options that only a baseline has. */
export function refuseWithoutBaseline({ values, switches }: Invocation): void {
  const [stray] = [
    ...(values.until === undefined ? [] : ['until']),
    ...(switches.has('unchecked') ? ['unchecked'] : []),
  ]
  if (stray !== undefined)
    throw new TidemarkError('bad-input', `--${stray} says something of --baseline: give both, or neither.`)
}
