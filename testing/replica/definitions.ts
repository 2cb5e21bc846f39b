import type { Definition, TableDefinition } from '../../protocol/index.ts'

type Column = TableDefinition['columns'][number]

export const column = (name: string, type = 'text', more: Partial<Column> = {}): Column => ({
  name,
  type,
  notNull: false,
  generated: null,
  ...more,
})

export function defineTable(name: string, columns: Column[], more: Partial<TableDefinition> = {}): TableDefinition {
  return {
    id: `public.${name}`,
    schema: 'public',
    name,
    columns,
    primaryKey: [columns[0]?.name ?? 'id'],
    audience: { column: 'org', prefix: 'org' },
    priority: 100,
    uniques: [],
    indexes: [],
    foreignKeys: [],
    ...more,
  }
}

/** One table of notes, seen by their org. */
export const NOTES: Definition = {
  types: [],
  tables: [
    defineTable(
      'note',
      [column('id'), column('org', 'text', { notNull: true }), column('title'), column('rank', 'integer')],
      {
        uniques: [{ name: 'note_title_key', columns: ['title'], deferrable: true }],
        indexes: [{ name: 'note_rank', statement: 'CREATE INDEX note_rank ON public.note USING btree (rank)' }],
      },
    ),
  ],
}
