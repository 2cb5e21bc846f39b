import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { action } from '../../db/index.ts'
import type { Definition, Row, WireChange } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'

const columns = [column('id'), column('org', 'text', { notNull: true }), column('name'), column('value')]
const SETTINGS: Definition = {
  types: [],
  tables: [
    defineTable('setting', columns, {
      write: 'all',
      uniques: [{ name: 'setting_u', columns: ['org', 'name'], deferrable: true, atOnce: true }],
    }),
    defineTable('pref', [...columns, column('gone', 'boolean')], {
      write: 'all',
      indexes: [
        {
          name: 'pref_u',
          statement: 'CREATE INDEX pref_u ON public.pref USING btree (org, lower(name)) WHERE (gone IS NULL)',
          unique: ['gone', 'name', 'org'],
        },
      ],
    }),
    defineTable('late', columns, {
      write: 'all',
      uniques: [{ name: 'late_u', columns: ['org', 'name'], deferrable: true, nullsNotDistinct: true }],
    }),
  ],
}
const put = action(z.object({ name: z.string(), value: z.string() }), async ({ sql, id }, { name, value }) => {
  await sql`INSERT INTO setting VALUES (${id('one')}, 'a', ${name}, ${value}) ON CONFLICT (org, name) DO UPDATE SET value = excluded.value`
})
const a = 'org:a'
const row = (id: string, name: string, more: Row = {}): Row => ({ id, org: 'a', name, value: 'dark', ...more })
const [SETTING, PREF] = ['public.setting', 'public.pref']

let replica: LocalReplica
beforeEach(async () => {
  const rows = {
    [SETTING]: [row('1', 'theme'), row('2', 'font'), row('3', 'size')],
    [PREF]: [row('1', 'Theme', { gone: null }), row('2', 'Font', { gone: null })],
    'public.late': [row('1', 'theme')],
  }
  replica = await LocalReplica.open(SETTINGS, { rows, actions: { put } })
})
afterEach(() => replica.close())

const values = (table: string) =>
  replica.rows(table, 'id, name, value').then((rows) => rows.map(({ id, name, value }) => `${id} ${name} ${value}`))

/** Reads the indexes that are still checked row by row, as they are only while ON CONFLICT lasts. */
async function checkedAtOnce(): Promise<unknown[]> {
  const { rows } = await replica.db.query(
    `SELECT FROM pg_index WHERE indrelid IN ('setting'::regclass, 'pref'::regclass) AND NOT indisprimary AND indimmediate`,
  )
  return rows
}

describe('ON CONFLICT', () => {
  test.each([
    ['(org, name) DO UPDATE SET value = excluded.value', 'theme', ['1 theme light', '2 font dark', '3 size dark']],
    [
      'ON CONSTRAINT setting_u DO UPDATE SET value = excluded.value',
      'font',
      ['1 theme dark', '2 font light', '3 size dark'],
    ],
    ['DO NOTHING', 'size', ['1 theme dark', '2 font dark', '3 size dark']],
    ['(name, org) DO NOTHING', 'size', ['1 theme dark', '2 font dark', '3 size dark']],
    ['DO NOTHING', 'new', ['1 theme dark', '2 font dark', '3 size dark', '9 new light']],
    ['(id) DO UPDATE SET value = excluded.value', 'new', ['1 theme dark', '2 font dark', '3 size dark', '9 new light']],
  ])('FLD-82 RBS-R10 %s, of %s', async (clause, name, expected) => {
    const text = `INSERT INTO setting VALUES ('9', 'a', '${name}', 'light') ON CONFLICT ${clause}`
    await replica.db.query(text)
    expect(await values('setting')).toEqual(expected)
    // The same once more, within a function, a statement made ready, and a transaction that goes on to exchange values.
    await replica.db.exec(`DO $do$ BEGIN ${text}; END $do$; PREPARE again AS ${text}; EXECUTE again; DEALLOCATE again`)
    await replica.db.exec(`BEGIN; ${text};
      UPDATE setting SET name = CASE name WHEN 'theme' THEN 'font' WHEN 'font' THEN 'theme' ELSE name END; COMMIT`)
    const exchanged = expected.map((one) => one.replace(/theme|font/, (was) => (was === 'theme' ? 'font' : 'theme')))
    expect(await values('setting')).toEqual(exchanged)
    expect(await checkedAtOnce()).toEqual([])
  })

  test('FLD-82 RBS-R10 by a unique index over an expression, of some rows', async () => {
    const upsert = `INSERT INTO pref VALUES ('9', 'a', 'THEME', 'light') ON CONFLICT`
    await replica.db.query(`${upsert} (org, lower(name)) WHERE gone IS NULL DO UPDATE SET value = excluded.value`)
    await replica.db.query(`${upsert} DO NOTHING`)
    expect(await values('pref')).toEqual(['1 Theme light', '2 Font dark'])
    await replica.db.query(`UPDATE pref SET gone = true WHERE id = '1'`)
    await replica.db.query(`${upsert} DO NOTHING`)
    expect(await values('pref')).toEqual(['1 Theme light', '2 Font dark', '9 THEME light'])
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending', 3: 'pending' })
  })

  test('FLD-82 RBS-R10 what else is unique stays so; what the server defers is no more an arbiter than there', async () => {
    const insert = `INSERT INTO setting VALUES ('9', 'a', 'theme', 'x')`
    await expect(replica.db.query(insert)).rejects.toMatchObject({ code: '23505' })
    await expect(replica.db.query(`${insert} ON CONFLICT (id) DO NOTHING`)).rejects.toMatchObject({ code: '23505' })
    await expect(replica.db.query(`UPDATE setting SET name = 'theme'`)).rejects.toMatchObject({ code: '23505' })
    await expect(
      replica.db.query(`INSERT INTO late VALUES ('9', 'a', 'theme') ON CONFLICT (org, name) DO NOTHING`),
    ).rejects.toMatchObject({ code: '55000' })
    await replica.db.query(`INSERT INTO late VALUES ('9', 'a', NULL)`)
    await expect(replica.db.query(`INSERT INTO late VALUES ('8', 'a', NULL)`)).rejects.toMatchObject({ code: '23505' })
    expect(await checkedAtOnce()).toEqual([])
    expect(await values('setting')).toEqual(['1 theme dark', '2 font dark', '3 size dark'])
  })
})

describe('what comes meanwhile', () => {
  const change = (t: string, id: string, d: Row): WireChange => ({ o: 'u', t, a, k: { id }, d })

  test('FLD-83 RBS-R11 the server’s rows exchange values in any order, under pending work too', async () => {
    await replica.db.query(
      `INSERT INTO setting VALUES ('9', 'a', 'theme', 'mine') ON CONFLICT (org, name) DO UPDATE SET value = excluded.value`,
    )
    await replica.commit([
      change(SETTING, '1', { name: 'font' }),
      change(SETTING, '2', { name: 'size', value: 'x' }),
      change(SETTING, '3', { name: 'theme' }),
      change(PREF, '1', { name: 'font', value: 'y' }),
      change(PREF, '2', { name: 'theme' }),
    ])
    expect(await values('setting')).toEqual(['1 font mine', '2 size x', '3 theme dark'])
    expect(await values('pref')).toEqual(['1 font y', '2 theme dark'])
    expect(await replica.states()).toEqual({ 1: 'pending' })
  })

  test('FLD-83 RBS-R11 pending exchanges are done again, taken back, and a value that comes goes before a pending one', async () => {
    await replica.db.query(
      `UPDATE setting SET value = 'mine', name = CASE name WHEN 'theme' THEN 'font' ELSE 'theme' END WHERE id IN ('1', '2')`,
    )
    await replica.db.query(`INSERT INTO setting VALUES ('7', 'a', 'new', 'mine')`)
    await replica.commit([change(SETTING, '1', { value: 'theirs' })])
    expect(await values('setting')).toEqual(['1 font mine', '2 theme mine', '3 size dark', '7 new mine'])
    await replica.commit([{ o: 'i', t: SETTING, a, d: row('8', 'new') }])
    expect(await values('setting')).toEqual(['1 font mine', '2 theme mine', '3 size dark', '8 new dark'])
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'failed constraint' })
  })

  test('FLD-83 RBS-R10 an action that upserts is run again on what came', async () => {
    await replica.outbox.runAction('put', { name: 'new', value: 'mine' })
    await replica.commit([{ o: 'i', t: SETTING, a, d: row('8', 'new') }])
    expect(await values('setting')).toEqual(['1 theme dark', '2 font dark', '3 size dark', '8 new mine'])
    expect(await replica.states()).toEqual({ 1: 'pending' })
    expect(await checkedAtOnce()).toEqual([])
  })

  test('FLD-84 RBS-R12 a row made here is made by another first: it shows what was written here until the server decides', async () => {
    await replica.db.query(
      `INSERT INTO setting VALUES ('5', 'a', 'tone', 'mine') ON CONFLICT (id) DO UPDATE SET value = excluded.value`,
    )
    await replica.commit([{ o: 'i', t: SETTING, a, d: row('5', 'tone', { value: 'theirs' }) }])
    expect(await values('setting')).toContain('5 tone mine')
    expect(await replica.states()).toEqual({ 1: 'pending' })
    const predicted = await replica.send(1)
    expect(predicted).toMatchObject([{ o: 'i', k: { id: '5' }, d: { value: 'mine' } }])
    await replica.commit([change(SETTING, '5', { value: 'mine' })], { counter: 1 })
    expect(await values('setting')).toContain('5 tone mine')
    expect(await replica.states()).toEqual({ 1: 'confirmed' })
    await replica.db.query(`INSERT INTO setting VALUES ('6', 'a', 'tune', 'mine')`)
    await replica.commit([{ o: 'i', t: SETTING, a, d: row('6', 'tune') }])
    await replica.send(2)
    await replica.commit([], { counter: 2, rejection: { kind: 'conflict', message: 'no' } })
    expect(await values('setting')).toContain('6 tune dark')
    expect(await replica.states()).toEqual({ 1: 'confirmed', 2: 'failed conflict' })
  })
})
