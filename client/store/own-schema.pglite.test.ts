import { readFile } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { commitAll } from '../../testing/replica/scripted-server.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { commit, folderSync, live, serveFolders } from '../../testing/writing/opened-folders.ts'
import { openReplicaOn } from '../open-replica.ts'
import type { Database } from './database.ts'
import { openOwnSchema } from './own-schema.ts'

/** Opens a database as PGlite makes it, without a schema of ours. */
async function emptyDatabase(): Promise<Database> {
  const db = await openPreparedDatabase({ kind: 'memory', name: '' })
  await db.exec('SET session_replication_role = replica; DROP SCHEMA tidemark CASCADE; RESET session_replication_role')
  return db
}

/** The store of a replica of that format: the second oldest of its mutations sent, two pending, the first failed. */
async function stored(format: number): Promise<Database> {
  const db = await emptyDatabase()
  await db.exec(await readFile(new URL(`../../testing/replica/formats/format-${format}.sql`, import.meta.url), 'utf8'))
  return db
}

const SHAPE = `
  SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = 'tidemark'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT indexname, indexdef, '', false, '' FROM pg_indexes WHERE schemaname = 'tidemark'
  UNION ALL SELECT proname, pg_get_functiondef(oid), '', false, '' FROM pg_proc
    WHERE pronamespace = 'tidemark'::regnamespace AND NOT starts_with(proname, 'capture_')
  UNION ALL SELECT evtname, evtevent, '', false, '' FROM pg_event_trigger
  ORDER BY 1, 2`

test('FLD-90 JRN-R5 a replica of the first format is what one made now is, and keeps all that it held', async () => {
  const db = await stored(3)
  const fresh = await openPreparedDatabase({ kind: 'memory', name: '' })
  const bare = await emptyDatabase()
  onTestFinished(async () => {
    for (const one of [db, fresh, bare]) await one.close()
  })
  const held = async () => {
    const tables = [
      'public.note',
      'public.folder',
      'public.draft',
      'tidemark.mutation',
      'tidemark.write',
      'tidemark.copy',
    ]
    return Promise.all(tables.map(async (table) => (await db.query(`SELECT * FROM ${table} ORDER BY 1`)).rows))
  }
  const before = await held()
  await expect(openOwnSchema(db, 'bob')).rejects.toMatchObject({ kind: 'forbidden' })
  expect((await db.query('SELECT format FROM tidemark.owner')).rows).toEqual([{ format: 3 }])
  const opened = await openOwnSchema(db, 'ann')
  const [notes, folders, drafts, mutations = [], writes, copies = []] = before
  const upgraded = mutations.map((row) => ({ ...(row as object), tab: null, call: null, said: null, keys: null }))
  const copied = copies.map((row) => ({ ...(row as object), changed: '' }))
  expect(await held()).toEqual([notes, folders, drafts, upgraded, writes, copied])
  for (const one of [fresh, bare]) {
    expect(await openOwnSchema(one, 'ann')).toMatchObject({ isNew: true })
    expect((await db.query(SHAPE)).rows).toEqual((await one.query(SHAPE)).rows)
  }
  await expect(openOwnSchema(fresh, 'bob')).rejects.toMatchObject({ kind: 'forbidden' })
  expect(await openOwnSchema(db, 'ann')).toEqual(opened)
})

test('FLD-90 JRN-R5 its unsent work is sent after it: what was sent before in the same text, and new work after it', async () => {
  const { server, url } = await serveFolders()
  onTestFinished(() => server.close())
  server.answerPush = commitAll
  const db = await stored(3)
  const { rows } = await db.query<{ request: string }>('SELECT request FROM tidemark.mutation WHERE counter = 2')
  const options = { url, user: 'ann', token: () => 'token', sync: folderSync, storage: 'memory://' }
  const replica = await openReplicaOn(options, async () => db)
  onTestFinished(() => replica.close())
  expect(replica.status).toMatchObject({ pending: 3, failed: 1, rebuilt: null, ready: true })
  expect(replica.failures.map(({ rejection }) => rejection.message)).toEqual(['Not today.'])
  await live(replica)
  await replica.db.exec(`UPDATE note SET title = 'new' WHERE id = '9'`)
  const all = () => server.pushes.flatMap((text) => JSON.parse(text).mutations as { counter: number }[])
  while (!all().some(({ counter }) => counter === 5)) await server.push(server.pushes.length)
  expect(all().map(({ counter }) => counter)).toEqual([2, 3, 4, 5])
  expect(server.pushes[0]).toContain(rows[0]?.request)
  commit(server, await server.session(0), ...(all() as never[]))
  await statusThat(replica, ({ pending }) => pending === 0)
  expect((await replica.db.query('SELECT text FROM draft')).rows).toEqual([{ text: 'kept' }])
})
