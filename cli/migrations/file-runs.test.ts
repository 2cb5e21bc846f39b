import { describe, expect, test } from 'vitest'
import { runsOf } from './file-runs.ts'

const runs = (...statements: string[]) => runsOf({ statements }).map(({ effect, text }) => [effect, text])

describe('the runs of a file', () => {
  test('SCH-R10 what does the same is sent as one, with settings and locks', () => {
    expect(
      runs(
        'SET x = 1; ALTER TABLE a ADD b int; -- why\nCREATE TABLE c (); SET y = 2; /* fill */ UPDATE a SET b = 1; INSERT INTO c DEFAULT VALUES',
      ),
    ).toEqual([
      ['schema', 'SET x = 1\n;\nALTER TABLE a ADD b int\n;\n-- why\nCREATE TABLE c ()\n;\nSET y = 2'],
      ['rows', '/* fill */ UPDATE a SET b = 1\n;\nINSERT INTO c DEFAULT VALUES'],
    ])
  })

  test('SCH-R10 what may do both, or is not told apart, is a run of its own', () => {
    const body = 'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END'
    expect(runs('DO $$ $$; DO $$ $$; SELECT 1; SET CONSTRAINTS ALL IMMEDIATE', body)).toEqual([
      ['both', 'DO $$ $$'],
      ['both', 'DO $$ $$'],
      ['rows', 'SELECT 1\n;\nSET CONSTRAINTS ALL IMMEDIATE'],
      ['both', body],
    ])
  })

  test('SCH-R10 statements with parameters stay as they are, each with its place', () => {
    expect(runsOf({ statements: ['ALTER TABLE a ADD b int', 'UPDATE a SET b = $1'], parameters: [[], [1]] })).toEqual([
      { text: 'ALTER TABLE a ADD b int', parameters: [], effect: 'schema', index: 0 },
      { text: 'UPDATE a SET b = $1', parameters: [1], effect: 'rows', index: 1 },
    ])
  })

  test('SCH-R10 a file that asks for the last number of a sequence is not divided', () => {
    expect(runs('INSERT INTO a DEFAULT VALUES; ALTER TABLE a ADD b int', 'SELECT lastval()')).toEqual([
      ['neither', 'INSERT INTO a DEFAULT VALUES; ALTER TABLE a ADD b int'],
      ['neither', 'SELECT lastval()'],
    ])
  })
})
