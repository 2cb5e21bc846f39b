import { showBytes } from '../migrations/table-sizes.ts'
import type { PlannedTable } from './plan-tables.ts'

/** Says in a line each what somebody has to decide on a table; `sync.ts` and the report both have it. */
export function describeDecision({
  id,
  existing,
  columns,
  proposal,
  largest,
  leftOut,
  isLarge,
}: PlannedTable): string[] {
  const size = isLarge
    ? ` All of it is more than a device should hold (about ${existing.rows ?? '?'} rows, ${showBytes(existing.bytes)}).`
    : ''
  switch (leftOut) {
    case 'faults':
      return columns.faults.map((fault) => `LEFT OUT: ${id} ${fault}.`)
    case 'no audience':
      return [
        `LEFT OUT, DECIDE: nothing in ${id} says who sees a row.${size} If everyone who is signed in may see all of it:`,
      ]
    case 'over a reference':
      return [
        `LEFT OUT, DECIDE: rows of ${id} belong to someone by another row. ${describeWay(proposal)}.${orIsIt(proposal)}${size} ${
          existing.catalogue.kind === 'p'
            ? 'As it is partitioned, it needs a column of its own.'
            : 'Over the reference, for which migrate adds a column and triggers to it:'
        }`,
      ]
    case 'too large': {
      const held = largest ?? { rows: existing.rows ?? 0, bytes: existing.bytes }
      const whose = largest === null ? 'all of it' : 'its largest audience'
      return [
        `LEFT OUT, DECIDE: ${id} may be too large for a device (${whose} has about ${held.rows} rows, ${showBytes(held.bytes)}). If it is not:`,
      ]
    }
    case null:
      return proposal.kind === 'column' ? [describeAudience(id, proposal, existing.catalogue.columns)] : []
  }
}

function describeAudience(
  id: string,
  proposal: Extract<PlannedTable['proposal'], { kind: 'column' }>,
  columns: PlannedTable['existing']['catalogue']['columns'],
): string {
  const { column, prefix } = proposal
  const isOpen = columns.find(({ name }) => name === column)?.notNull === false
  const unseen = isOpen ? ` Rows with NULL in ${column} are seen by nobody.` : ''
  return `DECIDE: may whoever has ${prefix}:<${column}> see these rows of ${id}, all columns below?${orIsIt(proposal)}${unseen}`
}

/** Asks for other columns that would do. */
const orIsIt = (proposal: PlannedTable['proposal']) =>
  proposal.kind === 'open' || proposal.alternatives.length === 0
    ? ''
    : ` Or is it ${proposal.alternatives.join(' or ')} that says who?`

/** Shows the way from a table to its audience, over each reference. */
function describeWay(proposal: PlannedTable['proposal']): string {
  if (proposal.kind !== 'via') return ''
  const way = proposal.steps.map(({ table, column, parent }) => `${table}.${column} to ${parent}`).join(', ')
  return `The way to ${proposal.prefix}: ${way}`
}
