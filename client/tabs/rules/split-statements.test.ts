import { expect, test } from 'vitest'
import { splitStatements, withoutQuoted } from './split-statements.ts'

test.each([
  ['no text', '', []],
  ['blanks and separators alone', ' ; \n;; ', []],
  ['comments alone', '-- nothing; here\n/* nor; here */', []],
  ['one statement without a separator', 'select 1', ['select 1']],
  ['one statement with a separator and blanks', '\n  select 1 ;\n', ['select 1']],
  ['several statements', 'select 1; select 2;select 3', ['select 1', 'select 2', 'select 3']],
  ['a separator in a literal', "select 'a;b'; select 2", ["select ''", 'select 2']],
  ['a doubled quote in a literal', "select 'it''s; here'; select 2", ["select ''", 'select 2']],
  ['a backslash that ends a plain literal', "select 'a\\'; select 2", ["select ''", 'select 2']],
  ['an escaped quote in an E literal', "select E'a\\'; b'; select 2", ["select ''", 'select 2']],
  ['an escaped backslash that ends an E literal', "select e'a\\\\'; select 2", ["select ''", 'select 2']],
  ['a doubled quote in an E literal', "select E'a''; b\\''; select 2", ["select ''", 'select 2']],
  [
    'a name whose last letter is e before a literal',
    "select date'2020-01-01'; select 2",
    ["select date''", 'select 2'],
  ],
  ['a separator in a name in quotes', 'select "a;b"; select 2', ['select ""', 'select 2']],
  ['a doubled quote in a name', 'select "a"";b"; select 2', ['select ""', 'select 2']],
  ['a single quote in a name in quotes', `select "it's"; select 2`, ['select ""', 'select 2']],
  ['a double quote in a literal', `select '"'; select 2`, ["select ''", 'select 2']],
  ['a separator in a comment to the end of its line', 'select 1 -- a; b\n; select 2', ['select 1', 'select 2']],
  ['a comment to the end of the text', 'select 1 -- a; b', ['select 1']],
  ['a separator in a comment of several lines', 'select /* a;\n b; */ 1; select 2', ['select   1', 'select 2']],
  ['a quote in a comment', "select 1 -- it's\n; select 2 /* isn't */", ['select 1', 'select 2']],
  ['a comment in a literal', "select '-- a'; select '/*'; select '*/'", ["select ''", "select ''", "select ''"]],
  ['a comment between words', 'select/* a */1', ['select 1']],
  ['a dollar quote', 'select $$a; b$$; select 2', ["select ''", 'select 2']],
  ['a dollar quote with a tag', 'do $body$ a; $$; b; $body$; select 2', ["do ''", 'select 2']],
  ['tags whose letters differ in case', 'do $A$ a; $a$ b; $A$; select 2', ["do ''", 'select 2']],
  ['a tag beyond ASCII', 'do $é1$ a; b $é1$; select 2', ["do ''", 'select 2']],
  ['quotes in a dollar quote', `do $$ it's; "a $$; select 2`, ["do ''", 'select 2']],
  ['a dollar quote in a literal', "select '$$'; select 2; select '$$'", ["select ''", 'select 2', "select ''"]],
  ['parameters', 'select $1, $2; select $1', ['select $1, $2', 'select $1']],
] as const)('TAB-R3 a text is split: %s', (_, text, statements) => {
  expect(splitStatements(text)).toEqual(statements)
})

test('TAB-R3 literals and names in quotes leave their quotes, comments a blank', () => {
  expect(withoutQuoted(`select 'a', E'\\'', $$b$$, "c" -- d`)).toBe(`select '', '', '', ""  `)
  expect(withoutQuoted(`select'a'from"b"`)).toBe(`select''from""`)
})
