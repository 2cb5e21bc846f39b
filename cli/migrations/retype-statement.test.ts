import { expect, it } from 'vitest'
import { retypeStatement } from './retype-statement.ts'

const using = (statement: string) => retypeStatement(statement)?.columns

it('SCH-R13 an ALTER TABLE says which columns get types, by which expressions', () => {
  expect(retypeStatement('ALTER TABLE bill ALTER amount TYPE bigint USING amount * 100;')).toEqual({
    table: 'bill',
    columns: [{ name: 'amount', using: 'amount * 100' }],
  })
  expect(
    retypeStatement(`-- cents
      alter table IF EXISTS ONLY "Books" . bill * alter column "A ""b" set data type numeric(10, 2) collate "C" /* , */
        using ( round("A ""b", 2) )::numeric(10,2) -- to the cent
        , add c int default 1, ALTER Size TYPE text, alter d set not null`),
  ).toEqual({
    table: '"Books" . bill',
    columns: [
      { name: 'A "b', using: '( round("A ""b", 2) )::numeric(10,2)' },
      { name: 'size', using: null },
    ],
  })
})

it('SCH-R13 an expression goes to the next comma that stands in nothing', () => {
  const array = `ARRAY[tags, ', ']`
  expect(using(`ALTER TABLE a ALTER tags TYPE text[] USING ${array}, DROP b`)).toEqual([{ name: 'tags', using: array }])
  const chosen = `CASE WHEN a THEN $x$,$x$ ELSE concat('a', ',') END`
  expect(using(`ALTER TABLE a ALTER a TYPE text USING ${chosen}, DROP b`)).toEqual([{ name: 'a', using: chosen }])
})

it('SCH-R13 other statements give no column a type', () => {
  for (const statement of [
    'ALTER TYPE state RENAME TO mood',
    'ALTER TABLE bill ADD type text',
    'ALTER TABLE bill ALTER type SET NOT NULL',
    'ALTER TABLE bill RENAME type TO kind',
    `DO $$ BEGIN ALTER TABLE bill ALTER amount TYPE bigint; END $$`,
    `ALTER TABLE bill ALTER a TYPE text USING 'open`,
    'ALTER TABLE bill ALTER a TYPE text USING a; DROP TABLE b',
    '',
  ])
    expect(retypeStatement(statement)).toBeNull()
})
