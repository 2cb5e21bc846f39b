import { quote } from '../build/name-book.ts'
import { describeDecision } from './describe-table.ts'
import type { Plan, PlannedTable } from './plan-tables.ts'
import { type Modules, memberOf } from './write-modules.ts'

/** Writes `sync.ts`: what may travel as it is, and beside it, as comments, what somebody has to decide first. */
export function writeSync({ tables }: Plan, modules: Modules): string {
  const entries = tables.map((table) => entryText(table, modules))
  return `import { defineSync, table } from 'tidemark/db'
import * as db from './tables.ts'

/**
 * What travels, and to whom. Written by \`tidemark init\` from the database, and yours from here on.
 *
 * Each DECIDE is a question that the database cannot answer; tidemark-report.md has the facts. Replicas only read what
 * is here, until a table says \`write\`.
 */
export const sync = defineSync({
  tables: {
${entries.join('')}  },
})
`
}

function entryText(planned: PlannedTable, modules: Modules): string {
  const { id, proposal, leftOut } = planned
  const constant = modules.constants.get(id) ?? ''
  const comments = describeDecision(planned).map((line) => `    // ${line}\n`)
  const entry = (audience: string) => `${constant}: table(db.${constant}, { audience: ${audience} }),`
  if (proposal.kind === 'column') {
    const column = memberOf(`db.${constant}`, modules.keyOf(id, proposal.column))
    const text = entry(`{ column: ${column}, prefix: ${quote(proposal.prefix)} }`)
    return `${comments.join('')}    ${leftOut === null ? '' : '// '}${text}\n`
  }
  if (leftOut === 'faults') return comments.join('')
  if (proposal.kind === 'open') return `${comments.join('')}    // ${entry(`'all'`)}\n`
  const via = viaText(planned, modules)
  return `${comments.join('')}${via === null ? '' : `    // ${entry(via)}\n`}`
}

/** Writes an audience over a table's first reference; null for a partitioned table, which cannot have one. */
export function viaText({ id, proposal, existing }: PlannedTable, modules: Modules): string | null {
  const [first] = proposal.kind === 'via' ? proposal.steps : []
  if (!first || existing.catalogue.kind === 'p') return null
  const column = memberOf(`db.${modules.constants.get(id)}`, modules.keyOf(id, first.column))
  return `{ via: ${column}, of: db.${modules.constants.get(first.parent)} }`
}
