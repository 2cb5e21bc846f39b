import { tableId } from '../../protocol/index.ts'
import { type ChosenColumns, chooseColumns } from './choose-columns.ts'
import type { ExistingDatabase, ExistingTable } from './existing-table.ts'
import { type Proposal, type Proposals, proposeAudiences } from './propose-audiences.ts'

/** What a first load may hold in a browser (docs/hydration.md); a table alone should not come near it. */
const MOST_ROWS = 1_000_000
const MOST_BYTES = 256 * 1024 * 1024

/** One table as the written modules have it. */
export interface PlannedTable {
  readonly id: string
  readonly existing: ExistingTable
  readonly columns: ChosenColumns
  readonly proposal: Proposal
  /** What its largest audience is estimated to hold; null where the server has no estimate. */
  readonly largest: { readonly rows: number; readonly bytes: number } | null
  /** Why it is left out of sync for now; null where it is in. */
  readonly leftOut: 'faults' | 'no audience' | 'over a reference' | 'too large' | null
  /** True where all of it is more than a device should hold, and no audience of its own divides it. */
  readonly isLarge: boolean
  /** Sentences that stand above its table in the module. */
  readonly notes: readonly string[]
}

export interface Plan {
  readonly database: ExistingDatabase
  readonly tables: readonly PlannedTable[]
  readonly owners: Proposals['owners']
}

/** Decides what can be known of a database, and leaves open what somebody has to decide. */
export function planTables(database: ExistingDatabase): Plan {
  const chosen = database.tables.map((existing) => ({
    existing,
    id: tableId(existing.catalogue),
    columns: chooseColumns(existing),
  }))
  const travelling = new Map(chosen.map(({ id, columns }) => [id, columns.travelling]))
  const { byTable, owners } = proposeAudiences(database.tables, travelling)
  const tables = chosen.map(({ existing, id, columns }): PlannedTable => {
    const proposal = byTable.get(id) ?? { kind: 'open' }
    const largest = largestAudience(existing, proposal)
    const leftOut = whyLeftOut(existing, columns, proposal, largest)
    const notes =
      columns.left.length === 0 ? [] : [`Left on the server: ${columns.left.map(({ name }) => name).join(', ')}.`]
    const isLarge = proposal.kind !== 'column' && isTooLarge({ rows: existing.rows ?? 0, bytes: existing.bytes })
    return { id, existing, columns, proposal, largest, leftOut, isLarge, notes }
  })
  return { database, tables, owners }
}

function whyLeftOut(
  { rows, bytes }: ExistingTable,
  { faults }: ChosenColumns,
  proposal: Proposal,
  largest: PlannedTable['largest'],
): PlannedTable['leftOut'] {
  if (faults.length > 0) return 'faults'
  if (proposal.kind === 'open') return 'no audience'
  if (proposal.kind === 'via') return 'over a reference'
  const held = largest ?? { rows: rows ?? 0, bytes }
  return isTooLarge(held) ? 'too large' : null
}

const isTooLarge = ({ rows, bytes }: { readonly rows: number; readonly bytes: number }) =>
  rows > MOST_ROWS || bytes > MOST_BYTES

/** Estimates the largest audience by the share of its most common value, or else by the average. */
function largestAudience(
  { rows, bytes, spread, catalogue }: ExistingTable,
  proposal: Proposal,
): PlannedTable['largest'] {
  if (rows === null || proposal.kind !== 'column') return null
  if (catalogue.primaryKey.join() === proposal.column)
    return { rows: Math.min(rows, 1), bytes: rows > 0 ? bytes / rows : 0 }
  const found = spread[proposal.column]
  if (found === undefined) return null
  const distinct = found.distinct < 0 ? -found.distinct * rows : found.distinct
  const share = Math.max(found.largest, 1 / Math.max(distinct, 1))
  return { rows: Math.ceil(rows * share), bytes: Math.ceil(bytes * share) }
}
