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

/** Folders and notes that go with them, written by the app; labels that actions alone write; events, unwritten here. */
export const WRITABLE: Definition = {
  types: [],
  tables: [
    defineTable('folder', [column('id'), column('org', 'text', { notNull: true }), column('name')], {
      write: 'all',
      primaryKey: ['org', 'id'],
    }),
    defineTable(
      'note',
      [
        column('id'),
        column('org', 'text', { notNull: true }),
        column('folder'),
        column('title'),
        column('rank', 'integer', { default: '1' }),
        column('number', 'bigint', { notNull: true, serverDefault: true }),
        column('double', 'integer', { generated: '(rank * 2)' }),
      ],
      {
        write: 'all',
        uniques: [{ name: 'note_title_key', columns: ['title'], deferrable: true }],
        foreignKeys: [
          {
            name: 'note_folder_fkey',
            statement:
              'ALTER TABLE "public"."note" ADD CONSTRAINT "note_folder_fkey" FOREIGN KEY (org, folder) REFERENCES public.folder(org, id) ON UPDATE CASCADE ON DELETE CASCADE NOT VALID',
          },
        ],
      },
    ),
    defineTable('label', [column('id'), column('org', 'text', { notNull: true }), column('text')], {
      write: 'actions',
    }),
    defineTable('event', [column('id'), column('org', 'text', { notNull: true }), column('note')], {
      foreignKeys: [
        {
          name: 'event_note_fkey',
          statement:
            'ALTER TABLE "public"."event" ADD CONSTRAINT "event_note_fkey" FOREIGN KEY (note) REFERENCES public.note(id) ON DELETE CASCADE NOT VALID',
        },
      ],
    }),
  ],
}

/** Folders and notes in them, all written by everyone of an org; the server alone fills in `seq`. */
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

/** These make a row of `folder`, and one of `note`, as the server sends them. */
export const folder = (id: string) => ({ id, org: 'a', name: `folder ${id}` })

export const note = (id: string, more: Readonly<Record<string, string | null>> = {}) => ({
  id,
  org: 'a',
  folder: null,
  title: `title ${id}`,
  rank: '1',
  number: '7',
  ...more,
})
