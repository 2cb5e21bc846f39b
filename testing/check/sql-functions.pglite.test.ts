import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toMigrationFile } from '../../cli/migrations/migration-file.ts'
import {
  compareFunctions,
  describeDifference,
  misplacedFunctions,
  openMigrated,
  readFunctionFiles,
  runStatements,
  toFunctionsMigration,
} from './sql-functions.ts'

const files = readFunctionFiles()
const textOf = (name: string) =>
  files.find((file) => file.name === name)?.statements.join('\n--> statement-breakpoint\n') ?? ''
/** Answers the files with these texts in place of their own, and without those whose text is null. */
const filesWith = (changes: Readonly<Record<string, string | null>>) =>
  [...new Set([...files.map(({ name }) => name), ...Object.keys(changes)])].sort().flatMap((name) => {
    const text = name in changes ? (changes[name] ?? null) : textOf(name)
    return text === null ? [] : [toMigrationFile(name, text)]
  })

const saidOf = (differences: Awaited<ReturnType<typeof compareFunctions>>) =>
  differences.map((difference) => describeDifference(difference))

const DOUBLED = `CREATE OR REPLACE FUNCTION tidemark.doubled(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'`
const OTHER_USER = textOf('user_id.sql').replace('nullif', 'coalesce')

describe('FLD-132 functions of the database', () => {
  let db: PGlite
  beforeAll(async () => {
    db = await openMigrated()
  })
  afterAll(() => db.close())

  it('are as their files have them, each in the file of its name', async () => {
    expect(misplacedFunctions(files)).toEqual([])
    expect(saidOf(await compareFunctions(db, files))).toEqual([])
  })

  it.each([
    ['another text', { 'audiences.sql': textOf('audiences.sql').replace('STABLE', 'VOLATILE') }, 'audiences()', 'text'],
    [
      'no REVOKE',
      { 'differing.sql': textOf('differing.sql').replace(/REVOKE.*/, '') },
      'differing(jsonb,jsonb)',
      'rights',
    ],
    [
      'a comment more',
      {
        'user_id.sql': `${textOf('user_id.sql')}\n--> statement-breakpoint\nCOMMENT ON FUNCTION tidemark.user_id IS 'who'`,
      },
      'user_id()',
      'comment',
    ],
    ['no file', { 'count_try.sql': null }, 'count_try(text,bigint,text,integer)', 'only in migrations'],
    ['a file more', { 'doubled.sql': DOUBLED }, 'doubled(integer)', 'only in its file'],
  ])('are told where there is %s', async (_, changes, signature, differs) => {
    const differences = await compareFunctions(db, filesWith(changes))
    expect(differences).toMatchObject([{ signature: `tidemark.${signature}`, differs }])
    expect(saidOf(differences)).toEqual([
      expect.stringMatching(/^tidemark\.\w+\(.*\)[: ].*db\/functions\/\w+\.sql.*make-functions-migration\.ts <name>$/),
    ])
  })

  it('have a file each', () => {
    const both = `${DOUBLED}\n--> statement-breakpoint\n${DOUBLED.replace('doubled', 'twice')}`
    expect(misplacedFunctions(filesWith({ 'doubled.sql': both }))).toEqual([
      expect.stringContaining('doubled.sql defines doubled, twice'),
    ])
    expect(misplacedFunctions(filesWith({ 'user_id.sql': '-- gone' }))).toEqual([
      expect.stringContaining('user_id.sql defines nothing'),
    ])
  })

  it('are made as the files have them by the migration that is made of these, and back', async () => {
    const changed = filesWith({ 'user_id.sql': OTHER_USER, 'count_try.sql': null, 'doubled.sql': DOUBLED })
    const there = toFunctionsMigration(await compareFunctions(db, changed), changed) ?? ''
    expect(toMigrationFile('there.sql', there).statements).toEqual([
      'DROP ROUTINE tidemark.count_try(text,bigint,text,integer);',
      DOUBLED,
      OTHER_USER,
    ])
    await runStatements(db, toMigrationFile('there.sql', there))
    expect(toFunctionsMigration(await compareFunctions(db, changed), changed)).toBe(null)
    const back = toFunctionsMigration(await compareFunctions(db, files), files) ?? ''
    expect(toMigrationFile('back.sql', back).statements).toContain('DROP ROUTINE tidemark.doubled(integer);')
    await runStatements(db, toMigrationFile('back.sql', back))
    expect(await compareFunctions(db, files)).toEqual([])
  })
})
