import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitStatements } from './split-statements.ts'

describe('the statements of a text', () => {
  test.each<[string, string, readonly string[] | null]>([
    ['end with semicolons', 'SELECT 1; SELECT 2;\n', ['SELECT 1', 'SELECT 2']],
    ['hold them in texts and names', `SELECT ';', "a;""b", 'it''s;'; x`, [`SELECT ';', "a;""b", 'it''s;'`, 'x']],
    [
      'escape only in E texts',
      `SELECT '\\'; SELECT e'\\';'; SELECT type'\\'`,
      [`SELECT '\\'`, `SELECT e'\\';'`, `SELECT type'\\'`],
    ],
    [
      'hold bodies in dollar quotes',
      'DO $$ a; b $$; DO $x$ $$; $y$ $x$; c',
      ['DO $$ a; b $$', 'DO $x$ $$; $y$ $x$', 'c'],
    ],
    [
      'name parameters and have dollars in names',
      'EXECUTE p($1); SELECT a$b$; SELECT $1',
      ['EXECUTE p($1)', 'SELECT a$b$', 'SELECT $1'],
    ],
    ['have comments, which nest', 'a -- x; y\n; /* ; /* ; */ ; */ b', ['a -- x; y', '/* ; /* ; */ ; */ b']],
    ['are none where there are comments alone', '-- a;\n;; /* b; */', []],
    [
      'hold those of a rule',
      'CREATE RULE r AS ON INSERT TO t DO (a; b); c',
      ['CREATE RULE r AS ON INSERT TO t DO (a; b)', 'c'],
    ],
    [
      'may set texts to be as they are',
      `SET standard_conforming_strings = on; SELECT 1`,
      ['SET standard_conforming_strings = on', 'SELECT 1'],
    ],
    ['are not told apart where texts may be others', `SET standard_conforming_strings = off; SELECT '\\';'`, null],
    ['nor with the body of a function', 'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END', null],
    ['nor where something does not end', `SELECT 'a; b`, null],
    ['nor in a quote', 'DO $$ a; b', null],
    ['nor in a comment', 'a; /* /* */', null],
    ['nor in parentheses', 'a (; b', null],
  ])('SCH-R10 %s', (_, text, statements) => {
    expect(splitStatements(text)).toEqual(statements)
  })

  test('SCH-R10 are found again, whatever they hold', () => {
    const piece = fc.constantFrom(
      `'a;'''`,
      `"b;"`,
      '$$;$$',
      '$t$;$t$',
      '--;\n',
      '/*;*/',
      `E'\\';'`,
      '(;)',
      'word',
      ' ',
      '1',
      '$1 ',
    )
    const statement = fc.array(piece, { maxLength: 8 }).map((pieces) => `x ${pieces.join(' ')}`.trim())
    fc.assert(
      fc.property(fc.array(statement), (statements) => {
        expect(splitStatements(statements.join('\n;\n'))).toEqual(statements)
      }),
    )
  })
})
