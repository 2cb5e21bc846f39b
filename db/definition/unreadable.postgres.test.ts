import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { headOf, LineCollector } from '../../testing/snapshot/snapshot-fixture.ts'
import { runDoctor } from '../../workers/health/index.ts'
import { readSnapshot } from '../../workers/snapshot/read-snapshot.ts'
import { defineSync, table } from '../define-sync.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), note: text('note') })
const all = { audience: 'all' } as const
const sync = defineSync({ tables: { item: table(item, all) } })
const writable = defineSync({ tables: { item: table(item, { ...all, write: 'all' }) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY, note text)'

describe.each(captureCases)('a definition that nobody can read, $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  afterEach(() => harness.close())

  test('FLD-40 DEF-R3 is passed over by capture and snapshots, named by doctor, and replaced by the next', async () => {
    harness = await startCapture(serverNamed(server), decoder, SCHEMA, sync)
    await harness.query(`INSERT INTO tidemark.sync_definition (hash, definition)
      SELECT 'x', jsonb_set(definition, '{tables,0,write}', '"al"') FROM tidemark.sync_definition`)
    await harness.run(`INSERT INTO item VALUES (1, 'a')`)
    await harness.drain()
    harness.restart()
    await harness.run(`INSERT INTO item VALUES (2, 'b')`)
    await harness.drain()
    const items = async () =>
      (await harness.history()).flatMap(({ table, key }) => (table === 'public.item' ? [key?.id] : []))
    expect(await items()).toEqual(['1', '2'])
    const collected = new LineCollector()
    headOf(await readSnapshot(harness.connection, 'all', collected))
    expect(collected.of('public.item')).toHaveLength(2)
    const finding = async () =>
      (await runDoctor(harness.connection.query, { sync: writable })).find(({ name }) => name === 'definition-in-force')
    expect(await finding()).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/Definition 2 .* cannot be read.*1 still/),
    })
    expect(await harness.install('SELECT 1', writable)).toMatchObject({ version: 3, changed: true })
    await harness.run(`INSERT INTO item VALUES (3, 'c')`)
    await harness.drain()
    expect(await items()).toEqual(['1', '2', '3'])
    expect(await finding()).toMatchObject({ status: 'ok' })
    await harness.run('DELETE FROM tidemark.sync_definition WHERE version = 2')
    harness.restart()
    await harness.drain()
  })

  test('FLD-40 DEF-R3 a slip of the pen is refused before anything is written', async () => {
    harness = await startCapture(serverNamed(server), decoder, SCHEMA, sync)
    const slip = { tables: { item: { ...writable.tables.item, write: 'al' } } } as unknown as typeof sync
    await expect(harness.install('SELECT 1', slip)).rejects.toMatchObject({
      kind: 'misconfigured',
      message: expect.stringContaining('did you mean all?'),
    })
    const [{ versions } = {}] = await harness.query('SELECT count(*)::text AS versions FROM tidemark.sync_definition')
    expect(versions).toBe('1')
  })
})
