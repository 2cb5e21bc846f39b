import { describe, expect, test } from 'vitest'
import { FOLDERS, WRITABLE } from '../../../testing/replica/definitions.ts'
import { replicaTables } from '../../store/replica-table.ts'
import { patchTables } from './patch-of-writes.ts'
import { tableTies } from './table-ties.ts'

const sorted = (names: ReadonlySet<string>) => [...names].sort()
const ties = tableTies(patchTables(replicaTables(WRITABLE, 'live')))
const tiesOf = (table: string) => ({ columns: sorted(ties(table).columns), tables: sorted(ties(table).tables) })

describe('what ties a table’s rows to others', () => {
  test('OBX-R2 are its key, its unique columns, its foreign keys, and those that refer to it', () => {
    expect(tiesOf('public.note')).toEqual({
      columns: ['folder', 'id', 'org', 'title'],
      tables: ['public.event', 'public.folder'],
    })
  })

  test('OBX-R2 are told on both sides of a foreign key', () => {
    expect(tiesOf('public.folder')).toEqual({ columns: ['id', 'org'], tables: ['public.note'] })
    expect(tiesOf('public.event').tables).toEqual(['public.note'])
  })

  test('OBX-R2 are its key alone where no constraint speaks of it', () => {
    expect(tiesOf('public.label')).toEqual({ columns: ['id'], tables: [] })
  })

  test('OBX-R2 are none of a table that is not known', () => {
    expect(tiesOf('public.other')).toEqual({ columns: [], tables: [] })
  })

  test('OBX-R2 are what a unique index looks at that the server alone has', () => {
    const [folder, note] = FOLDERS.tables
    if (!folder || !note) throw new Error('There are no tables.')
    const indexes = [
      {
        name: 'i',
        statement: 'CREATE INDEX i ON public.note (lower(title)) WHERE count > 0',
        unique: ['title', 'count'],
      },
    ]
    const known = tableTies(patchTables(replicaTables({ types: [], tables: [folder, { ...note, indexes }] }, 'live')))
    expect(sorted(known('public.note').columns)).toEqual(['count', 'folder', 'id', 'slug', 'title'])
  })
})
