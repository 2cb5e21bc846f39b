import { describe, expect, test } from 'vitest'
import { type ColumnDefinition, quoteIdentifier, type TableDefinition } from '../../../protocol/index.ts'
import { deleteSql, insertSql, insertUnnamedSql, lockSql, readingSql, seenSql, updateSql } from './patch-sql.ts'

const column = (name: string, type = 'text'): ColumnDefinition => ({ name, type, notNull: false, generated: null })
const tableOf = (columns: ColumnDefinition[], more: Partial<TableDefinition> = {}): TableDefinition => ({
  id: 'public.note',
  schema: 'public',
  name: 'note',
  columns,
  primaryKey: ['id'],
  audience: { column: 'org', prefix: 'org' },
  write: 'all',
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
  ...more,
})
const title = column('title')
const note = tableOf([column('id', 'integer'), column('org'), title])
const forAll = tableOf(note.columns as ColumnDefinition[], { audience: { constant: 'all' } })

/** Every statement of a patch on this table, by name. */
const statements = (table: TableDefinition, columns: ColumnDefinition[], rows = 1): Record<string, string> => ({
  insert: insertSql(table, columns),
  unnamed: insertUnnamedSql(table, columns),
  update: updateSql(table, columns, columns, new Set(), [], rows),
  delete: deleteSql(table, rows),
  lock: lockSql(table, columns, new Set(), []),
  seen: seenSql(table, rows),
  reading: readingSql([{ table, columns, rows }]),
})
const entries = (table: TableDefinition, columns: ColumnDefinition[]) => Object.entries(statements(table, columns))

describe('names', () => {
  const evil = `x"; DROP TABLE note; --'\\`
  const table = tableOf([column('id'), column('org'), column(evil)], { schema: evil, name: evil })
  /** The text outside quotes. */
  const bare = (text: string) => text.replace(/ E'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|'(?:[^']|'')*'/g, '')

  test.each(entries(table, [column(evil)]))('PSH-R4 no name leaves its quotes in the statement of %s', (_, text) => {
    expect(text).toContain(quoteIdentifier(evil))
    expect(bare(text)).not.toMatch(/DROP|;|--/)
  })

  test('a column that the definition lacks is an error, not a statement', () => {
    expect(() => deleteSql({ ...note, primaryKey: ['gone'] }, 1)).toThrow(/public\.note lacks its column gone/)
    expect(() => seenSql({ ...note, audience: { column: 'gone', prefix: 'p' } }, 1)).toThrow(/gone/)
  })
})

describe('what is seen', () => {
  test.each(['update', 'delete', 'lock', 'seen', 'unnamed'])(
    'PSH-R4 %s asks the row itself whose it is, by what its column prints',
    (name) => {
      expect(statements(note, [title])[name]).toMatch(/ANY \(\$2::text\[\]\)/)
    },
  )

  test.each(['update', 'delete', 'lock', 'seen', 'unnamed'])(
    '%s of a table for everyone has no second parameter',
    (name) => {
      expect(statements(forAll, [title])[name]).not.toContain('$2')
    },
  )

  test('AUD-R7 an insert that leaves its parent to the server asks the row alone whose it is', () => {
    const parent = { schema: 'public', name: 'folder', columns: ['folder'], key: ['id'], audience: 'org' }
    const columns = [...note.columns, column('folder')] as ColumnDefinition[]
    const inFolder = tableOf(columns, { kept: { parent } })
    expect(insertSql(inFolder, columns)).toContain('"tidemark parent"')
    expect(insertUnnamedSql(inFolder, [title])).toBe(insertUnnamedSql(note, [title]))
  })

  test('AUD-R7 an update gives a row to those alone whom its author is among, hidden or not', () => {
    const space = column('space', 'uuid')
    const named = tableOf([...note.columns, space], { kept: { column: 'space', when: 'title IS NULL' } })
    expect(updateSql(named, [space], [], new Set(), [], 1)).toMatch(
      /'space'\)::uuid IS NULL OR .*ANY \(\$2::text\[\]\)\)/,
    )
    expect(updateSql(named, [title], [], new Set(), [], 1)).not.toContain("'space'")
  })

  test('PSH-R5 the rows that were written are read by their key alone, wherever they went', () => {
    expect(readingSql([{ table: note, columns: [title], rows: 1 }])).not.toContain('$2')
  })

  test('VAL-R7 an insert of which the server fills in the audience answers what its author then sees, else nothing', () => {
    expect(insertUnnamedSql(note, [title])).toMatch(/^WITH .*RETURNING/s)
    expect(insertUnnamedSql(forAll, [title])).toBe(insertSql(forAll, [title]))
  })
})

describe('values', () => {
  test.each([
    ['character(3)', 'bpchar'],
    ['character varying(20)', 'character varying'],
    ['character(3)[]', 'bpchar[]'],
    ['bit(4)', 'varbit'],
    ['bit varying(4)', 'bit varying'],
    ['numeric(10,2)', 'numeric'],
    ['numeric(10,-2)', 'numeric'],
    ['timestamp(3) with time zone', 'timestamp with time zone'],
    ['public.state', 'public.state'],
  ])('PSH-R8 one of %s is read as %s: what is too long is refused, never cut', (type, cast) => {
    const typed = column('v', type)
    const table = tableOf([column('id'), typed], { audience: { constant: 'all' } })
    const text = insertSql(table, [typed])
    expect(text).toContain(`'v')::${cast} `)
  })

  test('PSH-R24 rows are inserted in the order of the patch', () => {
    expect(insertSql(note, [title])).toMatch(/ORDER BY "tidemark position"$/)
  })

  test('PSH-R6 an update passes where each column holds its basis or already the new value; without a basis the new value alone', () => {
    const given = (text: string, part: string) => text.includes(`"tidemark row"->'${part}'->>'title'`)
    const known = updateSql(note, [title], [title], new Set(), [], 1)
    expect(given(known, 'b')).toBe(true)
    const bare = updateSql(note, [title], [title], new Set(['title']), [], 1)
    expect(given(bare, 'b')).toBe(false)
    const unchecked = updateSql(note, [title], [], new Set(), [], 1)
    expect(given(unchecked, 'b')).toBe(false)
  })

  test('PSH-R6 a row is locked before it is compared, and by its table’s name, quoted', () => {
    expect(lockSql({ ...note, name: 'No "te' }, [title], new Set(), [])).toMatch(/FOR UPDATE OF "No ""te"$/)
  })

  test('PSH-R5 hidden and generated columns are in no row that is answered', () => {
    const low = { ...column('low'), generated: 'lower(title)' }
    const text = lockSql(tableOf([...note.columns, low]), [title], new Set(), [])
    expect(text).not.toContain('"low"')
  })
})

test('PSH-R4 one row is taken for one by the planner, several are not', () => {
  for (const name of ['update', 'delete', 'seen', 'reading'])
    expect([1, 2].map((rows) => statements(note, [title], rows)[name]?.includes('LIMIT 1'))).toEqual([true, false])
})

test('PSH-R5 readings of several tables are one statement, each from its own place among the parameters', () => {
  const text = readingSql([
    { table: note, columns: [title], rows: 1 },
    { table: { ...forAll, id: 'public.other', name: 'other' }, columns: [title], rows: 2 },
  ])
  expect(text.match(/\$1->\d/g)).toEqual(['$1->0', '$1->1'])
  expect(text).toContain('"public"."note"')
  expect(text).toContain('"public"."other"')
})
