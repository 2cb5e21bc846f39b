import { integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type HistoryEntry, useCapture } from '../../testing/capture/capture-harness.ts'
import { transactionsOf } from '../../testing/encoded-transactions.ts'

const issue = pgTable('issue', {
  id: integer('id').primaryKey(),
  org: text('org'),
  title: text('title'),
  body: text('body'),
  meta: jsonb('meta'),
})
const note = pgTable('note', { id: text('id').primaryKey(), issueId: integer('issue_id'), text: text('text') })
const sync = defineSync({
  tables: {
    issue: table(issue, { audience: { column: issue.org, prefix: 'org' } }),
    note: table(note, { audience: 'all' }),
  },
})
const SCHEMA = `
  CREATE TABLE issue (id int PRIMARY KEY, org text, title text, body text, meta jsonb, secret text);
  ALTER TABLE issue ALTER COLUMN body SET STORAGE EXTERNAL;
  CREATE TABLE note (id text PRIMARY KEY, issue_id int REFERENCES issue ON DELETE CASCADE, text text);
  CREATE TABLE unsynced (id int PRIMARY KEY)
`
const LARGE = `repeat('toast ', 2000)`

describe.each(captureCases)('$decoder on $server', ({ decoder, server }) => {
  const harness = useCapture(serverNamed(server), decoder, SCHEMA, sync)

  /** Runs the statements and answers the rows that they leave in history. */
  async function captured(sql: string): Promise<HistoryEntry[]> {
    const before = (await harness.history()).length
    await harness.run(sql)
    await harness.drain()
    return (await harness.history()).slice(before)
  }
  const brief = (entries: HistoryEntry[]) =>
    entries.map(({ operation, key, audience, data }) => ({ operation, key, audience, data }))

  test('CAP-01 CAP-R1 insert, update and delete of one transaction share its LSN and count from 0', async () => {
    const entries = await captured(`BEGIN;
      INSERT INTO issue VALUES (1, 'a', 'one', NULL, '{"x": 1}', 's');
      UPDATE issue SET title = 'two' WHERE id = 1;
      DELETE FROM issue WHERE id = 1;
      COMMIT`)
    expect(new Set(entries.map(({ lsn }) => lsn)).size).toBe(1)
    expect(entries.map(({ seq }) => seq)).toEqual([0, 1, 2])
    expect(brief(entries)).toEqual([
      {
        operation: 'insert',
        key: { id: '1' },
        audience: 'org:a',
        data: { id: '1', org: 'a', title: 'one', body: null, meta: '{"x": 1}' },
      },
      { operation: 'update', key: { id: '1' }, audience: 'org:a', data: { title: 'two' } },
      { operation: 'delete', key: { id: '1' }, audience: 'org:a', data: null },
    ])
    expect(entries[1]?.oldData).toEqual({ title: 'one' })
    expect(entries[2]?.oldData).toEqual({ id: '1', org: 'a', title: 'two', body: null, meta: '{"x": 1}' })
    expect(JSON.stringify(entries)).not.toContain('secret')
  })

  test('CAP-02 CAP-R2 interleaved transactions are whole and in commit order', async () => {
    const first = await harness.database.open()
    const second = await harness.database.open()
    await first.query('BEGIN')
    await first.query(`INSERT INTO public.issue (id, org) VALUES (20, 'a')`)
    await second.query('BEGIN')
    await second.query(`INSERT INTO public.issue (id, org) VALUES (21, 'a')`)
    await first.query(`INSERT INTO public.issue (id, org) VALUES (22, 'a')`)
    await second.query(`INSERT INTO public.issue (id, org) VALUES (23, 'a')`)
    await second.query('COMMIT')
    await harness.drain()
    await first.query('COMMIT')
    const entries = await captured('SELECT 1')
    await first.close()
    await second.close()
    const all = (await harness.history()).filter(({ key }) => ['20', '21', '22', '23'].includes(key?.id ?? ''))
    expect(all.map(({ key }) => key?.id)).toEqual(['21', '23', '20', '22'])
    expect(entries).toHaveLength(2)
  })

  test('CAP-04 CAP-R3 an unchanged TOASTed value is absent', async () => {
    await captured(`INSERT INTO issue (id, org, title, body) VALUES (4, 'a', 'x', ${LARGE})`)
    const [entry] = await captured(`UPDATE issue SET title = 'y' WHERE id = 4`)
    expect(entry?.data).toEqual({ title: 'y' })
  })

  test('CAP-05 CAP-R3 a key change or audience move completes the insert from the old row', async () => {
    await captured(`INSERT INTO issue (id, org, title, body) VALUES (5, 'a', 'x', ${LARGE})`)
    const moved = await captured(`UPDATE issue SET id = 6 WHERE id = 5`)
    expect(moved.map(({ operation }) => operation)).toEqual(['delete', 'insert'])
    expect(moved[1]?.data?.body).toBe('toast '.repeat(2000))
    const changed = await captured(`UPDATE issue SET org = 'b' WHERE id = 6`)
    expect(changed.map(({ audience }) => audience)).toEqual(['org:a', 'org:b'])
    expect(changed[1]?.data?.body).toBe('toast '.repeat(2000))
  })

  test('CAP-06 CAP-07 CAP-R4 a key change and an audience move are delete and insert at one LSN', async () => {
    await captured(`INSERT INTO issue (id, org, title) VALUES (7, 'a', 'x')`)
    const key = await captured('UPDATE issue SET id = 8 WHERE id = 7')
    expect(key.map(({ operation, key: row, lsn }) => [operation, row?.id, lsn === key[0]?.lsn])).toEqual([
      ['delete', '7', true],
      ['insert', '8', true],
    ])
    const audience = await captured(`UPDATE issue SET org = 'b' WHERE id = 8`)
    expect(audience.map(({ operation, audience: told }) => [operation, told])).toEqual([
      ['delete', 'org:a'],
      ['insert', 'org:b'],
    ])
  })

  test('CAP-08 CAP-R5 a row whose audience is NULL is kept in history and told to nobody', async () => {
    const entries = await captured(`INSERT INTO issue (id, org) VALUES (9, NULL);
      UPDATE issue SET org = 'a' WHERE id = 9;
      UPDATE issue SET org = NULL WHERE id = 9`)
    expect(entries.map(({ operation, audience }) => [operation, audience])).toEqual([
      ['insert', null],
      ['delete', null],
      ['insert', 'org:a'],
      ['delete', 'org:a'],
      ['insert', null],
    ])
    const told = transactionsOf(harness.batches).flatMap(({ changes }) => changes)
    const aboutNine = told.filter(
      (change) => change.op !== 'truncate' && ('key' in change ? change.key : change.data).id === '9',
    )
    expect(aboutNine.map(({ op, audience }) => [op, audience])).toEqual([
      ['insert', 'org:a'],
      ['delete', 'org:a'],
    ])
  })

  test('CAP-09 CAP-R6 TRUNCATE of one table, several and CASCADE travels to everyone', async () => {
    const one = await captured('TRUNCATE note')
    expect(one.map(({ table: name, operation, audience }) => [name, operation, audience])).toEqual([
      ['public.note', 'truncate', null],
    ])
    const several = await captured('TRUNCATE note, issue')
    expect(several.map(({ table: name }) => name).sort()).toEqual(['public.issue', 'public.note'])
    const cascaded = await captured('TRUNCATE issue CASCADE')
    expect(cascaded.map(({ table: name }) => name).sort()).toEqual(['public.issue', 'public.note'])
    expect(harness.batches.at(-1)?.everyone).toBe(true)
  })

  test('CAP-11 JSON string, number, null and SQL NULL are kept apart', async () => {
    const entries = await captured(
      `INSERT INTO issue (id, org, meta) VALUES (30, 'a', '"1"'), (31, 'a', '1'), (32, 'a', 'null'), (33, 'a', NULL)`,
    )
    expect(entries.map(({ data }) => data?.meta)).toEqual(['"1"', '1', 'null', null])
  })

  test('CAP-13 control characters, backslashes and astral characters arrive intact', async () => {
    const hard = 'tab\t line\n back\\slash "quote" \u0001\u007f\u2028 \ufeff 😀 \\u0041 {a,b} end\\'
    await harness.query(`INSERT INTO issue (id, org, title) VALUES (40, 'a', $1)`, [hard])
    await harness.query(`INSERT INTO issue (id, org, title) VALUES (41, 'a', $1)`, ['\ufeffbom'])
    const [first, second] = await captured('SELECT 1')
    expect(first?.data?.title).toBe(hard)
    expect(second?.data?.title).toBe('\ufeffbom')
  })

  test('CAP-14 only committed work arrives, at its commit', async () => {
    const entries = await captured(`BEGIN;
      INSERT INTO issue (id, org) VALUES (50, 'a');
      SAVEPOINT s;
      INSERT INTO issue (id, org) VALUES (51, 'a');
      ROLLBACK TO s;
      SAVEPOINT t;
      INSERT INTO issue (id, org) VALUES (52, 'a');
      RELEASE t;
      COMMIT;
      BEGIN;
      INSERT INTO issue (id, org) VALUES (53, 'a');
      ROLLBACK;
      BEGIN;
      INSERT INTO issue (id, org) VALUES (54, 'a');
      PREPARE TRANSACTION '${harness.database.name}'`)
    expect(entries.map(({ key }) => key?.id)).toEqual(['50', '52'])
    const prepared = await captured(`COMMIT PREPARED '${harness.database.name}'`)
    expect(prepared.map(({ key }) => key?.id)).toEqual(['54'])
  })

  test('CAP-15 insert and delete, delete and reinsert of one key keep their order', async () => {
    const entries = await captured(`BEGIN;
      INSERT INTO issue (id, org) VALUES (60, 'a');
      DELETE FROM issue WHERE id = 60;
      INSERT INTO issue (id, org, title) VALUES (60, 'a', 'again');
      COMMIT`)
    expect(entries.map(({ operation }) => operation)).toEqual(['insert', 'delete', 'insert'])
    expect(entries[2]?.data?.title).toBe('again')
  })

  test('CAP-16 CAP-R7 an update that changes nothing visible emits nothing; cascades arrive as rows', async () => {
    await captured(`INSERT INTO issue (id, org) VALUES (70, 'a');
      INSERT INTO note VALUES ('n1', 70, 'x'), ('n2', 70, 'y')`)
    expect(await captured(`UPDATE issue SET title = title, secret = 'new' WHERE id = 70`)).toEqual([])
    const entries = await captured('DELETE FROM issue WHERE id = 70')
    expect(entries.map(({ table: name, operation }) => [name, operation])).toEqual([
      ['public.issue', 'delete'],
      ['public.note', 'delete'],
      ['public.note', 'delete'],
    ])
  })

  test('CAP-19 CAP-R8 our own tables are not captured and an idle cycle stores nothing', async () => {
    await captured(`INSERT INTO tidemark.client (id, user_id) VALUES ('c', 'u') ON CONFLICT DO NOTHING`)
    await harness.drain()
    const [before] = await harness.query('SELECT count(*)::text AS rows FROM tidemark.change_history')
    const result = await harness.cycle()
    await harness.cycle()
    const [after] = await harness.query('SELECT count(*)::text AS rows FROM tidemark.change_history')
    expect(result).toMatchObject({ more: false, storedRows: 0 })
    expect(after?.rows).toBe(before?.rows)
  })

  test('CAP-20 CAP-R9 writes to unsynced tables store nothing and the slot advances', async () => {
    await harness.drain()
    const position = async () =>
      (
        await harness.query(`SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1`, [
          harness.settings.slotName,
        ])
      )[0]?.lsn
    const before = await position()
    expect(
      await captured('INSERT INTO unsynced SELECT g FROM generate_series(1, 100) g; DELETE FROM unsynced'),
    ).toEqual([])
    expect(await position()).not.toBe(before)
  })

  test('CAP-22 logical messages are ignored, whether committed or rolled back', async () => {
    const entries = await captured(`BEGIN;
      SELECT pg_logical_emit_message(true, 'p', 'in'), pg_logical_emit_message(false, 'p', 'out');
      ROLLBACK;
      SELECT pg_logical_emit_message(true, 'p', 'in');
      INSERT INTO issue (id, org) VALUES (80, 'a')`)
    expect(entries.map(({ key }) => key?.id)).toEqual(['80'])
  })
})
