import { PGlite } from '@electric-sql/pglite'
import { expect, it } from 'vitest'
import { PanicGuard } from './panic-guard.ts'

it('APP-R23 after a panic of Postgres every call rejects with one fault, and closing ends', async () => {
  const guard = new PanicGuard()
  const db = new PGlite({ onStderr: guard.listen })
  guard.guard(db)
  await db.waitReady
  await db.exec('CREATE TABLE note (id int PRIMARY KEY)')
  await db.exec(`DO $$ BEGIN RAISE LOG 'a word of PANICking'; END $$`)
  expect((await db.query('SELECT count(*)::int AS n FROM note')).rows).toEqual([{ n: 0 }])
  guard.listen('2026-12-01 10:00:00.000 UTC [42] PANIC:  could not write to file "pg_wal/xlogtemp.42": No space left')
  const fault = await guard.panicked
  expect(fault).toMatchObject({ kind: 'storage', message: expect.stringContaining('(could not write to file') })
  for (const call of [db.query('SELECT 1'), db.exec('SELECT 1'), db.transaction((tx) => tx.query('SELECT 1'))])
    await expect(call).rejects.toBe(fault)
  await db.close()
})
