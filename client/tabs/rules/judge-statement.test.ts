import { describe, expect, test } from 'vitest'
import { answersRows, judgeStatement, judgeWithin, transactionOptions, writesSyncedOnly } from './judge-statement.ts'

const kindOf = (text: string) => judgeStatement(text).kind
const kindWithin = (text: string) => judgeWithin(text).kind

describe('reads and writes', () => {
  test.each([
    '',
    '-- nothing',
    'select 1',
    '  SELECT * from items;  ',
    '/* a reason */ select 1 -- and another',
    'values (1), (2)',
    'table items',
    'show search_path',
    'explain select 1',
    'with a as (select 1) select * from a',
    'with recursive a as (select 1 union all select 2) table a',
    "select 'insert into items'",
    "select E'\\'; delete from items; \\''",
    'select $$ update items $$',
    'select "update", "into" from items',
    'select updated_at, deleted, inserted_by from items',
    'select 1 -- insert into items\n',
    'select 1 /* ; delete from items; */',
    'select 1; select 2; table items',
  ])('TAB-R3 it reads: %s', (text) => {
    expect(judgeStatement(text)).toEqual({ kind: 'read' })
    expect(judgeWithin(text)).toEqual({ kind: 'read' })
  })

  test.each([
    'insert into items values (1)',
    'UPDATE items SET done = true',
    'delete from items',
    'merge into items using others on true when matched then delete',
    'truncate items',
    'create table notes (id int)',
    'drop table notes',
    'with a as (insert into items values (1) returning *) select * from a',
    'with a as (delete from items returning *) select * from a',
    'with a as (select 1) update items set done = true',
    'select * into notes from items',
    'with a as (select 1) select * into notes from a',
    'select * from items for update',
    'explain analyze insert into items values (1)',
    'explain (analyze) delete from items',
    'select 1; insert into items values (1)',
    'insert into items values (1); select 1',
    'do $$ begin perform 1; end $$',
    "notify changes, 'now'",
    'call work()',
    'savepoint a',
    'release savepoint a',
    'set local statement_timeout = 5',
    'set constraints all deferred',
    'set transaction read only',
    'declare c cursor for select 1',
    'create function f() returns void language plpgsql as $$ begin delete from items; commit; end $$',
  ])('TAB-R3 it may write: %s', (text) => {
    expect(judgeStatement(text)).toEqual({ kind: 'write' })
    expect(judgeWithin(text)).toEqual({ kind: 'write' })
  })
})

test('TAB-R3 what hides behind literals, comments and options is seen', () => {
  const refused = [
    'begin; insert into items values (1); commit and chain',
    'commit and chain',
    `insert into items values ('vitamin e'); commit; select 'x'`,
    `select 'e'; set search_path = a; select 'b'`,
    'create or replace temp view v as select 1',
    'select 1 as one into temp t',
    'create table pg_temp.t (id int)',
    `select set_config('search_path', 'a', false)`,
    'select pg_advisory_lock(1)',
    `select 1 /* /* */ ' */; commit; select '1'`,
    'select 1 as a$$; commit; select 2 as b$$',
  ]
  expect(refused.filter((text) => judgeStatement(text).kind !== 'refused')).toEqual([])
  expect(judgeStatement(`select set_config('a', 'b', true)`).kind).toBe('read')
  expect(judgeStatement('insert into temp values (1)').kind).toBe('write')
  expect(judgeStatement('explain analyse create table t as select 1').kind).toBe('write')
  const body = 'create function f() returns int language sql begin atomic select 1; select 2; end'
  expect(judgeStatement(body).kind).toBe('write')
})

describe('transactions', () => {
  test.each([
    ['begin', 'begin'],
    ['BEGIN;', 'begin'],
    ['begin work', 'begin'],
    ['begin isolation level serializable', 'begin'],
    ['start transaction', 'begin'],
    ['START /* now */ TRANSACTION READ ONLY', 'begin'],
    ['-- a reason\nbegin; -- and more', 'begin'],
    ['commit', 'commit'],
    ['; COMMIT WORK ;', 'commit'],
    ['end', 'commit'],
    ['end transaction', 'commit'],
    ['rollback', 'rollback'],
    ['ROLLBACK WORK', 'rollback'],
    ['rollback transaction', 'rollback'],
    ['abort', 'rollback'],
  ])('TAB-R3 alone, %s is a %s; within a transaction of a function it is refused', (text, kind) => {
    expect(judgeStatement(text)).toEqual({ kind })
    expect(kindWithin(text)).toBe('refused')
  })

  test.each([
    'rollback to a',
    'rollback to savepoint a',
    'ROLLBACK WORK TO SAVEPOINT a',
    'rollback transaction to a',
    'rollback /* only */ to a',
  ])('TAB-R3 it ends a part of a transaction, and not the transaction: %s', (text) => {
    expect(kindOf(text)).toBe('write')
    expect(kindWithin(text)).toBe('write')
  })

  test.each([
    'begin; insert into items values (1); commit',
    'begin; insert into items values (1); end;',
    'start transaction; select 1; rollback',
    'begin; savepoint a; insert into items values (1); rollback to a; commit',
    'begin; set local statement_timeout = 5; select 1; commit',
    'begin; select 1; commit; begin; select 2; abort',
    'begin; select 1; commit; select 2',
  ])(
    'TAB-R3 a transaction among other statements is refused, since a part that fails would hold for all: %s',
    (text) => {
      expect(kindOf(text)).toBe('refused')
      expect(kindWithin(text)).toBe('refused')
    },
  )

  test.each([
    'begin; insert into items values (1)',
    'insert into items values (1); commit',
    'select 1; rollback',
    'commit; begin',
    'rollback; begin',
    'begin; savepoint a; rollback to a',
    'begin; select 1; commit; begin',
    'insert into items values (1); begin',
    'select 1; begin; select 2; commit',
  ])('TAB-R3 a text with a part of a transaction is refused: %s', (text) => {
    expect(judgeStatement(text)).toEqual({ kind: 'refused', why: expect.stringContaining('db.transaction()') })
    expect(kindWithin(text)).toBe('refused')
  })

  test.each([
    "select 'begin; commit'",
    'select 1 -- ; commit\n',
    'select /* ; rollback; */ 1',
    'select 1 as "; commit; "',
    'select $a$ ; commit; $a$',
    "select E'it\\'s; commit; '",
    'select begin_at, commit_at from items',
  ])('TAB-R3 words in literals, names and comments end nothing: %s', (text) => {
    expect(kindOf(text)).toBe('read')
    expect(kindWithin(text)).toBe('read')
  })

  test('TAB-R3 within a transaction it is said how it ends', () => {
    expect(judgeWithin('select 1; commit')).toMatchObject({ kind: 'refused' })
    expect(judgeWithin('commit')).toEqual({ kind: 'refused', why: expect.stringContaining('tx.rollback()') })
  })
})

describe('what would hold for every tab', () => {
  test.each([
    ["set search_path = 'other'", 'SET SEARCH_PATH', 'SET LOCAL'],
    ["set session time zone 'UTC'", 'SET SESSION', 'SET LOCAL'],
    ["SET TIME ZONE 'UTC'", 'SET TIME', 'SET LOCAL'],
    ['set session characteristics as transaction read only', 'SET SESSION', 'SET LOCAL'],
    ['set role other', 'SET ROLE', 'SET LOCAL'],
    ['set local_preload = 1', 'SET LOCAL_PRELOAD', 'SET LOCAL'],
    ['reset all', 'RESET ALL', 'SET LOCAL'],
    ['discard all', 'DISCARD ALL', 'SET LOCAL'],
    ['prepare p as select 1', 'PREPARE P', 'parameters'],
    ["prepare transaction 'a'", 'PREPARE TRANSACTION', 'parameters'],
    ['execute p', 'EXECUTE P', 'parameters'],
    ['deallocate all', 'DEALLOCATE ALL', 'parameters'],
    ['listen changes', 'LISTEN CHANGES', 'db.listen()'],
    ['UNLISTEN *', 'UNLISTEN *', 'db.listen()'],
    ['create temp table t (id int)', 'CREATE TEMP', 'drop it'],
    ['CREATE TEMPORARY TABLE t AS SELECT 1', 'CREATE TEMPORARY', 'drop it'],
    ['create local temp table t (id int)', 'CREATE LOCAL', 'drop it'],
    ['create temp view v as select 1', 'CREATE TEMP', 'drop it'],
    ['create temp sequence s', 'CREATE TEMP', 'drop it'],
    ['declare c cursor with hold for select 1', 'DECLARE C', 'within a transaction'],
    ['declare c\n  scroll cursor\n  WITH  HOLD for select 1', 'DECLARE C', 'within a transaction'],
    ["load 'auto_explain'", "LOAD ''", 'share this database'],
    ['/* quietly */ set -- so\n search_path = a', 'SET SEARCH_PATH', 'SET LOCAL'],
    ['select 1; set search_path = a', 'SET SEARCH_PATH', 'SET LOCAL'],
    ['begin; set search_path = a; commit', 'SET SEARCH_PATH', 'SET LOCAL'],
  ])('TAB-R3 it is refused, and says what to do: %s', (text, words, advice) => {
    const refused = { kind: 'refused', why: expect.stringContaining(advice) }
    expect(judgeStatement(text)).toEqual(refused)
    expect(judgeWithin(text)).toEqual(refused)
    expect(judgeStatement(text)).toMatchObject({ why: expect.stringContaining(`${words} would hold for every tab`) })
  })

  test.each([
    "select 'set search_path = a'",
    'select 1 -- ; set search_path = a\n',
    'update items set listen = 1',
    'create table temp (id int)',
    'create table temporary_notes (id int)',
    'create table settings (id int)',
    'declare c cursor without hold for select 1',
  ])('TAB-R3 it only sounds so: %s', (text) => {
    expect(kindOf(text)).not.toBe('refused')
    expect(kindWithin(text)).not.toBe('refused')
  })
})

describe('answers', () => {
  test.each([
    'select f()',
    'with a as (select 1) table a',
    'insert into items values (1) returning id',
    'delete from items; values (1)',
    'with gone as (delete from items returning id) insert into kept select id from gone',
  ])('TAB-R5 it is answered with rows: %s', (text) => {
    expect(answersRows(text)).toBe(true)
  })

  test.each([
    '',
    "update items set title = 'returning'",
    'delete from items; insert into items values (1)',
    'with a as (select 1) insert into items select * from a',
  ])('TAB-R5 it is answered without: %s', (text) => {
    expect(answersRows(text)).toBe(false)
  })
})

describe('writes of synced tables', () => {
  const synced = new Set(['public.items', 'app.notes', 'public.with_1$'])

  test.each([
    '',
    'select * from anything',
    'insert into items values (1)',
    'INSERT INTO Items (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2 RETURNING *',
    'insert into public.items values (1)',
    'insert into PUBLIC . Items values (1)',
    'insert into items(id) values (1)',
    'update items set done = true',
    'update only items set done = true',
    'update app.notes n set done = true from others',
    'delete from items',
    'delete from only app.notes where id = 1',
    'merge into items using others on true when matched then delete',
    'insert /* why */ into -- where\n items values (1)',
    "insert into items values ('; delete from others')",
    'insert into with_1$ values (1)',
    'insert into items values (1); update app.notes set done = true; select 1',
  ])('TAB-R3 what it wrote is known from the synced tables: %s', (text) => {
    expect(writesSyncedOnly(text, synced)).toBe(true)
  })

  test.each([
    '?',
    'insert into others values (1)',
    'insert into notes values (1)',
    'insert into app.items values (1)',
    'insert into items_2 values (1)',
    'insert into "items" values (1)',
    'insert into public."items" values (1)',
    'insert into "public".items values (1)',
    'update "Items" set done = true',
    'insert into items values (1); insert into others values (1)',
    'with a as (insert into others values (1) returning *) insert into items select * from a',
    'with a as (select 1) insert into items select * from a',
    'select * into items from others',
    'select * from items for update',
    'truncate items',
    'create table items (id int)',
    'drop table items',
    'copy items from stdin',
    'do $$ begin delete from items; end $$',
    'call work()',
    'begin; insert into items values (1); commit',
    'explain analyze insert into items values (1)',
  ])('TAB-R3 it is doubtful what it did: %s', (text) => {
    expect(writesSyncedOnly(text, synced)).toBe(false)
  })

  test('TAB-R3 without synced tables every write is doubtful', () => {
    expect(writesSyncedOnly('insert into items values (1)', new Set())).toBe(false)
    expect(writesSyncedOnly('select 1', new Set())).toBe(true)
  })
})

test.each([
  ['BEGIN', ''],
  ['begin work;', ''],
  ['START TRANSACTION READ ONLY', 'READ ONLY'],
  ['begin transaction isolation level repeatable read, read only', 'isolation level repeatable read, read only'],
  ['begin isolation level serializable', 'isolation level serializable'],
])('TAB-R3 what a transaction is to be is kept: %s', (text, options) => {
  expect(transactionOptions(text)).toBe(options)
})
