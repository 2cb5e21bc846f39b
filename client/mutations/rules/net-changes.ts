import type { MutationHistory, Row } from '../../../protocol/index.ts'
import type { RowImage } from './reverse-rows.ts'

type ToldChange = Pick<MutationHistory['changes'][number], 'table' | 'key' | 'operation' | 'data' | 'before'>

/**
 * Answers what the changes of one mutation, in their order, did to each row: of a row that was only updated the images hold its key
 * and the columns that changed, of others all that is told. Rows that came and went are left out.
 */
export function netChanges(changes: readonly ToldChange[]): RowImage[] {
  const nets = new Map<string, { table: string; before: Row | null; after: Row | null }>()
  for (const { table, key, operation, data, before } of changes) {
    const name = JSON.stringify([table, Object.entries(key).toSorted(([a], [b]) => (a < b ? -1 : 1))])
    const so = nets.get(name)
    if (operation === 'update') {
      const wasMade = so !== undefined && so.before === null
      nets.set(name, {
        table,
        before: wasMade ? null : { ...key, ...before, ...so?.before },
        after: { ...key, ...so?.after, ...data },
      })
    } else if (operation === 'insert') {
      nets.set(name, { table, before: so?.before ?? null, after: data })
    } else {
      const wasMade = so !== undefined && so.before === null
      nets.set(name, { table, before: wasMade ? null : { ...before, ...so?.before }, after: null })
    }
  }
  return [...nets.values()].filter(({ before, after }) => before !== null || after !== null)
}
