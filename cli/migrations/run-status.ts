import type { Invocation } from '../command.ts'
import { type FileStatus, isUpToDate, type MigrationStatus, type ReplicasAt, readStatus } from './read-status.ts'
import { withAppDatabase } from './with-app-database.ts'

/** Prints how far a database is; 1 where something is to be done. */
export async function runStatus(invocation: Invocation): Promise<number> {
  const status = await withAppDatabase(invocation, ({ app, sync, database }) =>
    readStatus(database, app.migrations, sync),
  )
  const isDone = isUpToDate(status)
  if (invocation.switches.has('json')) console.log(JSON.stringify({ upToDate: isDone, ...status }, null, 2))
  else for (const line of describeStatus(status)) console.log(line)
  return isDone ? 0 : 1
}

const REMEDIES = {
  applied: '',
  baseline: ', ran before Tidemark came',
  pending: ': tidemark migration:run applies it',
  edited: ' after it ran: restore it, and put the change into a new file',
  missing: ', though it ran: restore it, use a newer version, or take it back (tidemark migration:revert)',
  late: ', and sorts before one that ran: rename it so that it comes last',
} as const

const WORDS = {
  applied: 'applied',
  baseline: 'baseline',
  pending: 'pending',
  edited: 'edited',
  missing: 'missing',
  late: 'pending',
} as const

function describeFile({ name, state, at, version }: FileStatus): string {
  const since = version === null ? at : `${at}, version ${version}`
  const when = at === null ? '' : state === 'applied' || state === 'baseline' ? ` ${since}` : ` (ran ${since})`
  return `${name}: ${WORDS[state]}${when}${REMEDIES[state]}`
}

/** Says what there is in a sentence each, with what to do. */
function describeStatus({ own, app, definition, drifted, replicas }: MigrationStatus): string[] {
  const files = [...own, ...app].map(describeFile)
  const lines = files.length > 0 ? files : ['There are no migration files.']
  if (own.length > 0) return [...lines, 'The sync definition is looked at once the tables of Tidemark are up to date.']
  if (definition === null) return [...lines, 'No sync definition is in force: tidemark migration:run brings the first.']
  const { version, hash, declared } = definition
  const whose = declared ? 'the one that the app declares' : 'not what the app declares: tidemark migration:run'
  return [
    ...lines,
    `Sync definition: version ${version} (${hash.slice(0, 12)}), ${whose}.`,
    ...drifted.map(
      ({ table, what }) =>
        `Table ${table} ${what}, by other hands: take that back, or tidemark migration:adopt, and replicas load it anew.`,
    ),
    ...replicas.map(describeReplicas),
  ]
}

function describeReplicas({ version, count, waiting, faults, fault, retries, migration }: ReplicasAt): string {
  const parts = [
    `Replicas at version ${version}, as they said last: ${count}`,
    ...(migration === null ? [] : [`their pages know ${migration} or later`]),
    ...(waiting === 0 ? [] : [`${waiting} wait for tables to be loaded`]),
    ...(faults === 0 ? [] : [`${faults} could not make it from the version before, and load instead (${fault})`]),
    ...(retries === 0 ? [] : [`tried again ${retries} times at most`]),
  ]
  return `${parts.join('; ')}.`
}
