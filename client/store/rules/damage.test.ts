import { describe, expect, test } from 'vitest'
import { judgeError, judgeWords } from './damage.ts'

const at = (line: string) => `2026-11-28 22:12:05.727 UTC [42] ${line}`

describe('judgeWords', () => {
  test.each([
    ['FATAL:  "/pglite/data" is not a valid data directory', 'DETAIL:  File "/pglite/data/PG_VERSION" is missing.'],
    [
      'FATAL:  database files are incompatible with server',
      'DETAIL:  The database cluster was initialized with PG_CONTROL_VERSION 1515870810, but the server was compiled with PG_CONTROL_VERSION 1800.',
    ],
    ['PANIC:  could not open file "global/pg_control": No such file or directory'],
    ['PANIC:  could not read file "global/pg_control": read 0 of 296'],
    ['LOG:  invalid checkpoint record', 'PANIC:  could not locate a valid checkpoint record at 0/17CF548'],
    ['FATAL:  required WAL directory "pg_wal" does not exist'],
    ['FATAL:  database "postgres" does not exist', 'DETAIL:  The database subdirectory "base/5" is missing.'],
    ['FATAL:  invalid page in block 0 of relation "base/5/1259"'],
    ['FATAL:  relation mapping file "base/5/pg_filenode.map" contains invalid data'],
    [
      'FATAL:  could not access status of transaction 753',
      'DETAIL:  Could not open file "pg_xact/0000": No such file or directory.',
    ],
    ['FATAL:  could not load /pglite/data/pg_hba.conf'],
  ])('%s: damaged', (...words) => {
    expect(judgeWords(words.map(at)).kind).toBe('damaged')
  })

  test('a start without its configuration is damaged, and says so before the log begins', () => {
    const word =
      'postgres: could not access the server configuration file "/pglite/data/postgresql.conf": No such file or directory'
    expect(judgeWords([word])).toEqual({ kind: 'damaged', why: word })
  })

  test.each([
    ['FATAL:  could not map anonymous shared memory: Out of memory', 'HINT:  This error usually means that …'],
    ['FATAL:  could not create lock file "postmaster.pid": Permission denied'],
    ['PANIC:  could not open file "global/pg_control": Permission denied'],
    ['PANIC:  could not write to file "pg_wal/xlogtemp.42": No space left on device'],
    ['FATAL:  could not open file "base/5/1259": Too many open files in system'],
    ['LOG:  invalid page in block 0 of relation "base/5/1259"', 'FATAL:  out of memory'],
    ['Aborted()'],
    [],
  ])('%s: not known to be damage', (...words) => {
    expect(judgeWords(words.map(at)).kind).toBe('unknown')
  })

  test('files of another Postgres are older or newer, by its version', () => {
    const of = (version: number) =>
      judgeWords([
        at('FATAL:  database files are incompatible with server'),
        at(
          `DETAIL:  The data directory was initialized by PostgreSQL version ${version}, which is not compatible with this version 18.6.`,
        ),
      ]).kind
    expect([of(15), of(19)]).toEqual(['older', 'newer'])
  })
})

describe('judgeError', () => {
  test('pages and files of the database that are gone are damage, whether or not the state is passed on', () => {
    expect(judgeError('whatever', 'XX001').kind).toBe('damaged')
    expect(judgeError('invalid page in block 0 of relation "base/5/16385"', undefined).kind).toBe('damaged')
    expect(judgeError('could not open file "base/5/16385": No such file or directory', '58P01').kind).toBe('damaged')
  })

  test('what the app or the device does is not', () => {
    expect(judgeError('relation "note" does not exist', '42P01').kind).toBe('unknown')
    expect(judgeError('could not extend file "base/5/1": No space left on device', '53100').kind).toBe('unknown')
    expect(judgeError('Failed to fetch', undefined).kind).toBe('unknown')
  })
})
