import { expect, it } from 'vitest'
import { isActionStatement, isTransactionStatement } from './action-statement.ts'

it.each([
  'select 1',
  '  ((SELECT 1))',
  '-- it\nSELECT 1',
  '/* a /* b */ c */WITH x AS (SELECT 1) SELECT * FROM x',
  'create  local  temp table a (b int)',
  'SET CONSTRAINTS ALL IMMEDIATE',
])('PSH-R18 an action may run %j', (text) => expect(isActionStatement(text)).toBe(true))

it.each([
  '',
  '-- SELECT',
  '/* SELECT',
  '/* a */ /* /* */ SELECT */ COMMIT',
  'commit',
  'SET LOCAL ROLE NONE',
  'set  session characteristics as transaction read only',
  'CREATE TABLE a (b int)',
  'CREATE FUNCTION pg_temp.a() RETURNS int LANGUAGE sql RETURN 1',
  'EXPLAIN ANALYZE SELECT 1',
  'selection',
])('PSH-R18 an action may not run %j', (text) => expect(isActionStatement(text)).toBe(false))

it.each([
  'begin',
  ' BEGIN isolation level serializable',
  '/* it */ start  transaction',
  'commit;',
  'END',
  'ROLLBACK',
  'abort',
  'rollback work',
  "PREPARE TRANSACTION 'a'",
])('ACT-R7 %j begins or ends a transaction', (text) => expect(isTransactionStatement(text)).toBe(true))

it.each([
  '',
  'savepoint a',
  'ROLLBACK TO a',
  'rollback  work to savepoint a',
  'release a',
  'SELECT 1',
  'beginning',
  'PREPARE a AS SELECT 1',
])('ACT-R7 %j does not', (text) => expect(isTransactionStatement(text)).toBe(false))
