import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { storageFor } from './storage-name.ts'

const zone = process.env.TZ

beforeEach(() => {
  process.env.TZ = 'America/New_York'
})

afterEach(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

test.each([
  ['as an app opens it', openDatabase],
  ['as tests open it', openPreparedDatabase],
] as const)('VAL-R12 a Date is read as it was written, whatever the zone of the page, %s', async (_, open) => {
  const db: Database = await open(await storageFor('memory://', 'ann'))
  try {
    const at = new Date('2026-12-01T10:00:00.000Z')
    const day = new Date('2026-12-01T00:00:00.000Z')
    expect(at.getHours()).toBe(5)
    const text = 'SELECT $1::timestamp AS a, $1::timestamptz AS b, $2::date AS c, $3::timestamp[] AS d'
    const { rows } = await db.query(text, [at, day, [at]])
    expect(rows).toEqual([{ a: at, b: at, c: day, d: [at] }])
    const early = await db.query(`SELECT '0044-03-15 BC'::date AS day`)
    expect(early.rows).toEqual([{ day: new Date('-000043-03-15T00:00:00.000Z') }])
  } finally {
    await db.close()
  }
})
