import { customType, pgTable } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { encodeCopyLine } from '../../protocol/copy-text.ts'
import {
  outputExpression,
  quoteIdentifier,
  quoteTable,
  type TableDefinition,
  travellingColumns,
} from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { tableRowsQuery } from './table-rows-sql.ts'

const column = (name: string) => customType<{ data: string }>({ dataType: () => 'text' })(name)
const HARD = [
  '',
  ' ',
  'NULL',
  '\\N',
  '\\.',
  '\\',
  'a\tb\nc\rd\be\ff\vg',
  '\u0001\u007f',
  'Größe 𝔘 \u2028\ufeff',
  '{"a":1}',
  "it's",
]

/** Type and values, as Postgres reads them. */
const TYPES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ['text', HARD],
  ['varchar(60)', HARD],
  ['char(12)', ['a', 'ab ', '']],
  ['name', ['tab\tname', 'back\\slash']],
  ['"char"', ['a', '\\', '']],
  ['boolean', ['t', 'f']],
  ['smallint', ['-32768', '7']],
  ['integer', ['2147483647']],
  ['bigint', ['9007199254740993', '-9223372036854775808']],
  ['oid', ['4294967295']],
  [
    'numeric',
    ['NaN', 'Infinity', '-Infinity', '1.00', '1.000', '123456789012345678901234567890.0987654321', '-0.0000001'],
  ],
  ['numeric(12,2)', ['NaN', '1.005']],
  ['real', ['NaN', '0.1', '-0', '1e-45', '3.4028235e38', 'Infinity']],
  ['double precision', ['NaN', '0.1', '0.30000000000000004', '5e-324', '-Infinity']],
  ['money', ['12.34', '-1000']],
  ['bytea', ['', '\\x00ff5c0a', '\\x5c5c']],
  ['uuid', ['AAAAAAAA-0000-4000-8000-00000000000a']],
  ['date', ['2026-11-20', '0044-03-15 BC', 'infinity', '-infinity']],
  ['time', ['24:00:00', '12:34:56.7']],
  ['time with time zone', ['12:00+05:45']],
  ['timestamp', ['0001-01-01 00:00:00 BC', 'infinity', '1999-12-31 23:59:59.999999']],
  ['timestamp(3) with time zone', ['2026-11-20 01:02:03.456789+05:45', '0044-03-15 12:00 BC', '-infinity']],
  ['interval', ['1 year 2 mons -3 days 04:05:06.789', '-00:00:01', '0']],
  ['interval day to second(2)', ['3 days 04:05:06.789']],
  ['jsonb', ['null', '"a\\"b\\\\c\\n"', '{"b": 1.50, "a": [null, "x"]}', '12345678901234567890.1']],
  ['json', ['null', '{ "b" : 1,\n\t"a" : "\\ud83d\\ude00" }']],
  ['inet', ['10.0.0.1', '10.0.0.1/24', '::1']],
  ['cidr', ['10.1.0.0/16', '192.168.1.1/32']],
  ['macaddr', ['08:00:2b:01:02:03']],
  ['bit(3)', ['101']],
  ['bit varying', ['', '1010']],
  ['point', ['(1.5,-2.25)']],
  ['tsvector', ["'it''s' 'x\\\\y':7A", '']],
  ['int4range', ['empty', '[1,5)', '(,)']],
  ['tstzrange', ['["2026-01-01 00:00+02",infinity)', '(,"0044-03-15 BC")']],
  ['integer[]', ['{}', '{1,NULL,-3}', '{{1,2},{3,4}}', '[0:1]={7,8}']],
  ['boolean[]', ['{t,f,NULL}']],
  ['text[]', ['{}', '{NULL,"NULL","","a,b","q\\"uo","back\\\\slash","t\tab","l\nine"}']],
  ['jsonb[]', ['{"{\\"a\\": \\"\\\\\\\\\\"}",NULL}']],
  ['bytea[]', ['{"\\\\x00ff",NULL}']],
  ['timestamp with time zone[]', ['{"2026-11-20 01:02:03+05:45",NULL}']],
  ['public.mood', ['calm', 'it\'s "odd"\\really', 'tab\tbed']],
  ['public.mood[]', ['{calm,NULL}', '{"it\'s \\"odd\\"\\\\really"}']],
  ['public.flag', ['t', 'f']],
  ['public.code', ['a\\b', '']],
]
const NAMES = TYPES.map((_, index) => (index === 0 ? 'odd "Name"' : `c${index}`))
const VALUES = pgTable('sampled values', Object.fromEntries(['id', ...NAMES].map((name) => [name, column(name)])))
const SYNC = defineSync({ tables: { values: table(VALUES, { audience: 'all' }) } })
const SCHEMA = `
  CREATE TYPE public.mood AS ENUM ('calm', 'it''s "odd"\\really', 'tab\tbed');
  --> statement-breakpoint
  CREATE DOMAIN public.flag AS boolean;
  --> statement-breakpoint
  CREATE DOMAIN public.code AS varchar(12);
  --> statement-breakpoint
  CREATE TABLE public."sampled values" (id text PRIMARY KEY, ${TYPES.map(([type], index) => `${quoteIdentifier(NAMES[index] ?? '')} ${type}`).join(', ')})`

/** Settings that would change most texts, were they not pinned. */
const HOSTILE = [
  "TimeZone = 'Asia/Kathmandu'",
  "DateStyle = 'German, DMY'",
  "IntervalStyle = 'iso_8601'",
  "bytea_output = 'escape'",
  'extra_float_digits = -3',
]

/** Fields of a line that COPY itself wrote. */
function decodeCopyLine(line: string): (string | null)[] {
  const plain: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
  return line
    .split('\t')
    .map((field) =>
      field === '\\N' ? null : field.replace(/\\(.)/gs, (_, character: string) => plain[character] ?? character),
    )
}

describe.each(['embedded', 'system'] as const)('copy lines on the %s server', (server) => {
  const database = useTestDatabase(servers()[server], async ({ name, run }) => {
    for (const setting of HOSTILE) await run(`ALTER DATABASE ${name} SET ${setting}`)
  })
  const connection = useConnection(database)
  let definition: TableDefinition

  beforeAll(async () => {
    const applied = await database.install(SCHEMA, SYNC)
    const [only] = applied.definition.tables
    if (!only) throw new Error('The definition is empty.')
    definition = only
    for (const [index, [type, values]] of TYPES.entries()) {
      for (const [number, value] of values.entries()) {
        await connection.query(
          `INSERT INTO ${quoteTable(definition)} (id, ${quoteIdentifier(NAMES[index] ?? '')}) VALUES ($1, $2::text::${type})`,
          [`${type} ${number}`, value],
        )
      }
    }
    await connection.query(`INSERT INTO ${quoteTable(definition)} (id) VALUES ('all NULL')`)
  })

  /** The lines as COPY writes them to a file on the server. */
  async function copied(): Promise<string[]> {
    const columns = travellingColumns(definition)
      .map((one) => quoteIdentifier(one.name))
      .join(', ')
    const [place] = await connection.query(
      `SELECT current_setting('data_directory') || '/copied-' || pg_backend_pid() AS path`,
    )
    await connection.query(`COPY (SELECT ${columns} FROM ${quoteTable(definition)}) TO '${place?.path}'`)
    const [file] = await connection.query('SELECT pg_read_file($1::text) AS text', [place?.path ?? ''])
    return (file?.text ?? '').split('\n').slice(0, -1)
  }

  test('SNP-R4 CAP-10 CAP-13 a line is what COPY itself writes, for every common type', async () => {
    const { text } = tableRowsQuery(definition, { kind: 'every' })
    const lines = (await connection.rows(text)).map(([, line]) => line)
    expect(lines.toSorted()).toEqual((await copied()).toSorted())
  })

  test('SNP-R4 CAP-12 a line equals encodeCopyLine of the values that the output functions print', async () => {
    const columns = travellingColumns(definition)
    const outputs = columns.map(
      (one) => `CASE WHEN ${quoteIdentifier(one.name)} IS NOT NULL THEN ${outputExpression(one)} END`,
    )
    const rows = await connection.rows(`SELECT ${outputs.join(', ')} FROM ${quoteTable(definition)}`)
    const names = columns.map((one) => one.name)
    const encoded = rows.map((row) =>
      encodeCopyLine(names, Object.fromEntries(names.map((name, index) => [name, row[index] ?? null]))),
    )
    const byCopy = (await copied()).map((line) => `${line}\n`)
    expect(encoded.toSorted()).toEqual(byCopy.toSorted())
    const values = (await copied()).map((line) => JSON.stringify(decodeCopyLine(line)))
    expect(rows.map((row) => JSON.stringify(row)).toSorted()).toEqual(values.toSorted())
  })

  test("SNP-R4 CAP-12 the database's own settings change no text", async () => {
    const { text } = tableRowsQuery(definition, { kind: 'every' })
    const lines = (await connection.rows(text)).map(([, line]) => line ?? '').join('\n')
    for (const pinned of [
      '2026-11-19 19:17:03.457+00',
      '1 year 2 mons -3 days +04:05:06.789',
      '\\\\x00ff5c0a',
      '0.30000000000000004',
    ]) {
      expect(lines).toContain(pinned)
    }
  })
})
