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

/** Folders, notes in them, and lines of notes, all written by everyone of an org; `seq` is the server's to fill in. */
export const FOLDERS: Definition = {
  types: [],
  tables: [
    defineTable('folder', [column('id'), column('org', 'text', { notNull: true }), column('name')], { write: 'all' }),
    defineTable(
      'note',
      [
        column('id'),
        column('org', 'text', { notNull: true }),
        column('folder'),
        column('title'),
        column('slug'),
        column('count', 'integer', { notNull: true, default: '0' }),
        column('seq', 'bigint', { serverDefault: true }),
      ],
      {
        write: 'all',
        uniques: [{ name: 'note_slug_key', columns: ['slug'], deferrable: false }],
        foreignKeys: [
          {
            name: 'note_folder_fkey',
            statement:
              'ALTER TABLE public.note ADD CONSTRAINT note_folder_fkey FOREIGN KEY (folder) REFERENCES public.folder(id) ON DELETE CASCADE NOT VALID',
          },
        ],
      },
    ),
  ],
}
