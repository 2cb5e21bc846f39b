import type { RightsChange } from '../../contracts.ts'
import type { TableEvent } from './source-event.ts'
import type { HistoryRow } from './to-changes.ts'

/** Beyond this many users one transaction concerns everyone. */
const MAX_USERS = 1_000
const TABLE = 'tidemark.rights'

/** Answers whose rights an event may change: null for nobody's, `all` where the log does not name the users. */
export function rightsOf(event: TableEvent): RightsChange | null {
  const { watch } = event.plan
  if (watch === undefined) return null
  if (event.type === 'truncate' || watch.userPosition === null) return 'all'
  const before = event.old === null ? null : event.old[watch.userPosition]
  const given = event.new === null ? null : event.new[watch.userPosition]
  // A value that is absent from an update is unchanged.
  const after = given === undefined && event.old !== null ? before : given
  if (before === undefined || after === undefined) return 'all'
  return [...new Set([before, after])].filter((user): user is string => user !== null)
}

/** Joins two changes of rights; null changes nothing. */
export function joinRights(a: RightsChange | null, b: RightsChange | null): RightsChange | null {
  if (a === null || b === null) return a ?? b
  if (a === 'all' || b === 'all') return 'all'
  const users = [...new Set([...a, ...b])]
  return users.length > MAX_USERS ? 'all' : users
}

/** Makes the row of history for readers of a gap, which holds the users' ids and nothing else of the rows. */
export function rightsRow(rights: RightsChange): HistoryRow {
  const data = JSON.stringify({ users: rights === 'all' ? null : rights })
  return { table: TABLE, operation: 'rights', key: null, data, oldData: null, audience: null }
}
