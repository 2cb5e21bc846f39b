import { keyText, replicaTables } from '../../client/store/replica-table.ts'
import type { CapturedWrite } from '../../client/store/rules/captured-write.ts'
import type { Row } from '../../protocol/index.ts'
import { WRITABLE } from './definitions.ts'

/** Tables, rows and writes of `WRITABLE`, as tests of rules take them. */
export const NOTE = 'public.note'
export const FOLDER = 'public.folder'
export const tables = replicaTables(WRITABLE, 'live')

export const folder = (id: string, name: string | null = null): Row => ({ id, org: 'a', name })

export const note = (id: string, more: Row = {}): Row => ({
  id,
  org: 'a',
  folder: null,
  title: null,
  rank: '1',
  number: '7',
  ...more,
})

/** Makes the write that a trigger would capture: an insert without `before`, a delete without `after`. */
export function captured(table: string, before: Row | null, after: Row | null): CapturedWrite {
  const of = tables.get(table)
  if (!of) throw new Error(`There is no ${table}.`)
  const op = before ? (after ? 'update' : 'delete') : 'insert'
  return { table, key: keyText(of, after ?? before ?? {}), op, before, after }
}
