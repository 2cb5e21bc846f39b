import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { databaseImage } from '../../testing/check/database-image.ts'
import type { Database } from './database.ts'
import { openDatabase } from './open-database.ts'
import { openStored } from './open-stored.ts'
import { makeOwnSchema } from './own-schema.ts'
import { startParams } from './start-options.ts'
import type { Storage } from './storage-name.ts'

const SCRIPT = fileURLToPath(new URL('../../testing/replica/open-until-killed.ts', import.meta.url))

// This makes the image as the build does, because the sources may not have been built.
beforeAll(async () => {
  writeFileSync(new URL('database-image.bin', import.meta.url), await databaseImage())
})

async function newStorage(): Promise<Storage> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return { kind: 'path', name: join(folder, 'replica') }
}

async function databasesOf(db: Pick<Database, 'query'>): Promise<unknown> {
  const { rows } = await db.query<{ datname: string }>('SELECT datname FROM pg_database ORDER BY 1')
  return rows.map(({ datname }) => datname)
}

/** The databases of the image, and those that initdb would have made. */
const FROM_IMAGE = ['postgres']
const FROM_INITDB = ['postgres', 'template0', 'template1']

test('FLD-97 HYD-R10 new storage starts from the image, and takes everything that a database takes', async () => {
  const storage = await newStorage()
  for (const one of [storage, { kind: 'memory', name: '' } as const]) {
    const db = await openDatabase(one)
    expect(await databasesOf(db)).toEqual(FROM_IMAGE)
    // More than the image's log has room for, and with indexes that catalogues are searched by.
    await db.exec('CREATE TABLE note (id int PRIMARY KEY, title text, body jsonb)')
    await db.exec(`INSERT INTO note SELECT n, repeat('x', 1000), '{"a": [1]}' FROM generate_series(1, 20000) n`)
    await db.exec('CREATE INDEX ON note USING gin (body)')
    await db.exec('VACUUM FULL')
    await db.close()
  }
  expect(readdirSync(join(storage.name, '..'))).toEqual(['replica'])
  const again = await openDatabase(storage)
  expect((await again.query('SELECT count(*)::int AS count FROM note')).rows).toEqual([{ count: 20_000 }])
  await again.close()
})

test('FLD-97 HYD-R10 PGlite of this version finds nothing of the image to be otherwise than what it makes itself', async () => {
  const compared = `
    SELECT name, setting FROM pg_settings
     WHERE source NOT IN ('session', 'override') AND name NOT LIKE 'plpgsql.%' AND name NOT IN ('config_file', 'hba_file', 'ident_file', 'data_directory')
     UNION ALL SELECT 'collation of ' || datname, concat(datcollate, datctype, datlocprovider) FROM pg_database WHERE datname = 'postgres'
     UNION ALL SELECT 'catalogue', string_agg(relname, ' ' ORDER BY relname COLLATE "C") FROM pg_class
     UNION ALL SELECT 'functions', count(*)::text FROM pg_proc
     ORDER BY 1`
  const own = await PGlite.create({ startParams: startParams(PGlite) })
  await own.transaction(makeOwnSchema)
  const fromImage = await openDatabase({ kind: 'memory', name: '' })
  expect(await databasesOf(own)).toEqual(FROM_INITDB)
  const expected = (await own.query(compared)).rows
  expect((await fromImage.query(compared)).rows).toEqual(expected)
  await own.close()
  await fromImage.close()
})

const beside = ({ name }: Storage) => `${name}.making`
const has = (storage: Storage, ...path: string[]) => existsSync(join(storage.name, ...path))

test.each<[string, (storage: Storage) => boolean]>([
  ['before its first file', (storage) => existsSync(beside(storage))],
  ['with its folders', (storage) => has(storage, 'base', '5')],
  ['with its catalogues', (storage) => has(storage, 'global', 'pg_control')],
  ['with all its files', (storage) => has(storage, 'postgresql.conf')],
  ['once Postgres runs', (storage) => has(storage, 'postmaster.pid')],
  ['once it is whole', (storage) => has(storage, 'postgresql.conf') && !existsSync(beside(storage))],
])('FLD-98 HYD-R11 a first opening that is killed %s: the next one mends it', async (_, reached) => {
  const storage = await newStorage()
  const child = spawn(process.execPath, [SCRIPT, storage.name], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  while (!reached(storage) && child.exitCode === null) await wait(1)
  child.kill('SIGKILL')
  await ended
  const db = await openDatabase(storage)
  expect(await databasesOf(db)).toEqual(FROM_IMAGE)
  await db.exec('CREATE TABLE note (id int PRIMARY KEY)')
  await db.close()
  expect(existsSync(beside(storage))).toBe(false)
  const again = await openDatabase(storage)
  expect((await again.query('SELECT id FROM note')).rows).toEqual([])
  await again.close()
})

test('FLD-98 HYD-R11 a database of an earlier build, which has no mark, is kept', async () => {
  const storage = await newStorage()
  const earlier = await PGlite.create(storage.name)
  await earlier.exec('CREATE TABLE note (id int PRIMARY KEY); INSERT INTO note VALUES (1)')
  await earlier.close()
  const db = await openDatabase(storage)
  expect((await db.query('SELECT id FROM note')).rows).toEqual([{ id: 1 }])
  await db.close()
})

test('FLD-98 HYD-R11 what an earlier build was killed over, before it could be used, is put aside, and another made', async () => {
  const storage = await newStorage()
  mkdirSync(join(storage.name, 'base', '1'), { recursive: true })
  writeFileSync(join(storage.name, 'base', '1', '1259'), 'half')
  const { db, rebuilt } = await openStored(storage, openDatabase, async () => undefined)
  expect(await databasesOf(db)).toEqual(FROM_IMAGE)
  expect(rebuilt).toContain('put aside')
  expect(has(storage, 'base', '1', '1259')).toBe(true)
  await db.close()
})
