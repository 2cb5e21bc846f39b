import { expect, test } from 'vitest'
import { toMigrationFile } from './migration-file.ts'

test('MIG-15 breakpoints part statements; line ends do not change the hash', () => {
  const unix = toMigrationFile(
    '1.sql',
    'CREATE TABLE a ();\n--> statement-breakpoint\n\nCREATE TABLE b ();\n--> statement-breakpoint\n',
  )
  const windows = toMigrationFile(
    '1.sql',
    'CREATE TABLE a ();\r\n--> statement-breakpoint\r\n\r\nCREATE TABLE b ();\r\n--> statement-breakpoint\r\n',
  )
  expect(unix.statements).toEqual(['CREATE TABLE a ();', 'CREATE TABLE b ();'])
  expect(windows).toEqual(unix)
})

test.each([
  ['SELECT 1', null],
  ['-- A comment.\n-- tidemark: breaking\nSELECT 1', 'breaking'],
  ['--tidemark:additive \r\nSELECT 1', 'additive'],
  ['  -- tidemark: additive\nSELECT 1', 'additive'],
] as const)('MIG-12 MIG-R7 a file says what pages may go on past it: %j', (text, compatibility) => {
  expect(toMigrationFile('1.sql', text).compatibility).toBe(compatibility)
})

test('MIG-12 MIG-R7 a file that says anything else is refused', () => {
  expect(() => toMigrationFile('1.sql', '-- tidemark: braking')).toThrow(
    '1.sql says "-- tidemark: braking": write additive',
  )
})

test.each([
  ['BEGIN; CREATE TABLE a (); COMMIT;', 'BEGIN'],
  ['create table a ();\ncommit ;', 'COMMIT'],
  ['START TRANSACTION; SELECT 1', 'START TRANSACTION'],
  ['SELECT 1; rollback', 'ROLLBACK'],
  ['CREATE TABLE a (); abort; CREATE TABLE b ()', 'ABORT'],
  [`CREATE TABLE a (); PREPARE TRANSACTION 'a'`, 'PREPARE TRANSACTION'],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COMMIT', 'COMMIT'],
])('CLI-R3 a file that ends transactions itself is refused: %s', (text, statement) => {
  expect(() => toMigrationFile('1.sql', text)).toThrow(`1.sql holds ${statement}`)
})

test.each([
  ['-- COMMIT;\nSELECT 1'],
  ['/* ; COMMIT; */ SELECT 1'],
  ["INSERT INTO a VALUES ('; COMMIT;', 'it''s; COMMIT')"],
  ['CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN PERFORM 1; END; $body$'],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END'],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 1'],
  ['COMMENT ON TABLE a IS NULL; CREATE TABLE endings (committed_at int)'],
])('CLI-R3 the words inside comments, strings, bodies and names are not: %s', (text) => {
  expect(toMigrationFile('1.sql', text).statements).toEqual([text])
})
