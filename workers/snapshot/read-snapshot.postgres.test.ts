import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { applyDefinition, defineSync } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, ORG_B, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import {
  arrivals,
  beginEpoch,
  beginYoungEpoch,
  captureTransaction,
  createSlot,
  headOf,
  LineCollector,
  streamOf,
  untilWaiting,
} from '../../testing/snapshot/snapshot-fixture.ts'
import { until } from '../../testing/system/until.ts'
import { type Database, MIGRATION_APPLICATION } from '../database/index.ts'
import { waitsForCapture } from './build-patience.ts'
import { readSnapshot } from './read-snapshot.ts'
import { tableRowsQuery } from './table-rows-sql.ts'

const AUDIENCE = `org:${ORG_A}`

describe.each(['embedded', 'system'] as const)('reading a snapshot on the %s server', (server) => {
  const own = useTestDatabase(servers()[server])
  const reader = useConnection(own)
  const writer = useConnection(own)
  const watcher = useConnection(own)
  let epochs = 0

  beforeAll(async () => {
    await own.install(SNAPSHOT_SCHEMA, snapshotSync)
  })
  beforeEach(async () => {
    await writer.query('TRUNCATE public.item, public.note, public.setting')
    await writer.query(
      `INSERT INTO public.item (id, org_id, title, secret)
       SELECT n, CASE WHEN n % 2 = 0 THEN $1::uuid ELSE $2::uuid END, 'item ' || n, 'hidden' FROM generate_series(1, 6) n`,
      [ORG_A, ORG_B],
    )
    await writer.query(`INSERT INTO public.item (id, title) VALUES (99, 'nobody')`)
    await writer.query(`INSERT INTO public.note VALUES (1, 'u1', 'mine'), (2, 'U1', 'other'), (3, '', 'empty')`)
    await writer.query(`INSERT INTO public.setting VALUES ('a', '1'), ('b', NULL)`)
    epochs += 1
    await beginEpoch(writer.query, `epoch-${epochs}`)
  })

  async function read(audience: string): Promise<LineCollector> {
    const collector = new LineCollector()
    headOf(await readSnapshot(reader, audience, collector))
    return collector
  }

  test('SNP-R1 SNP-01 an audience gets exactly its rows, with the visible columns', async () => {
    const org = await read(AUDIENCE)
    expect(org.of('public.item')).toEqual([2, 4, 6].map((id) => `${id}\t${ORG_A}\titem ${id}`))
    expect([...org.lines.keys()].toSorted()).toEqual(['public.item', 'public.note', 'public.setting'])
    expect(org.of('public.note')).toEqual([])
    expect(org.of('public.setting')).toEqual([])
    expect((await read('all')).of('public.setting')).toEqual(['a\t1', 'b\t\\N'])
    expect((await read('user:u1')).of('public.note')).toEqual(['1\tu1\tmine'])
    expect((await read('user:')).of('public.note')).toEqual(['3\t\tempty'])
  })

  test.each([
    'org:not-a-uuid',
    `org:${ORG_A.toUpperCase()}`,
    `org:{${ORG_A}}`,
    `org: ${ORG_A}`,
    'team:1',
    'item:1',
    'client:abc',
    "user:x' OR 'a'='a",
    'user:__proto__',
    'org:',
  ])('SNP-R1 SEC-05 %s has no rows, and asking is no error', async (audience) => {
    const empty = await read(audience)
    expect(empty.lines.size).toBe(3)
    expect([...empty.lines.values()].flat()).toEqual([])
  })

  test('SNP-R1 the audience condition is served by an index', async () => {
    const applied = await own.install('SELECT 1', snapshotSync)
    const item = applied.definition.tables.find((table) => table.id === 'public.item')
    if (!item) throw new Error('no item')
    const { text, params } = tableRowsQuery(item, { kind: 'value', column: 'org_id', value: ORG_A })
    const plan = await reader.transaction(async ({ query }) => {
      await query('SET LOCAL enable_seqscan = off')
      return await query(`EXPLAIN ${text}`, params)
    })
    expect(JSON.stringify(plan)).toMatch(/item_org/)
  })

  test('SNP-R1 CAP-28 a large row arrives whole; one above the limit is refused by type', async () => {
    await writer.query(`INSERT INTO public.item (id, org_id, title) VALUES (50, $1, repeat(E'a\\\\b\\n', 40000))`, [
      ORG_A,
    ])
    const { lines } = await read(AUDIENCE)
    expect(lines.get('public.item')?.find((line) => line.startsWith('50\t'))).toBe(
      `50\t${ORG_A}\t${'a\\\\b\\n'.repeat(40000)}`,
    )
    await writer.query(`INSERT INTO public.item (id, org_id, title) VALUES (51, $1, repeat('x', 17000000))`, [ORG_A])
    await expect(readSnapshot(reader, AUDIENCE, new LineCollector())).rejects.toMatchObject({ kind: 'limit-exceeded' })
    expect(reader.usable).toBe(true)
  })

  test('SNP-R5 SNP-22 a transaction older than the slot is waited for, and is in the first snapshot', async () => {
    const slot = `young_${server}`
    const pending = begun(writer, `INSERT INTO public.item (id, org_id, title) VALUES (7, '${ORG_A}', 'older')`)
    await pending.done
    // The slot is made while the older transaction is open; making it waits for that, so the epoch stands for it here.
    await beginYoungEpoch(watcher.query, `young-${server}-000000`)
    expect(await readSnapshot(reader, AUDIENCE, new LineCollector())).toEqual({ wait: 'epoch-young' })
    pending.commit()
    await pending.committed
    await createSlot(watcher.query, slot)
    const collector = new LineCollector()
    const head = headOf(await readSnapshot(reader, AUDIENCE, collector))
    expect(arrivals(head, collector.of('public.item'), await streamOf(watcher.query, slot)).get('7')).toBe(1)
    await watcher.query('SELECT pg_drop_replication_slot($1)', [slot])
  })

  test('SNP-R3 SNP-03 SNP-21 what the snapshot shows and the stream brings too arrives once, in whichever order it was committed', async () => {
    const slot = `overlap_${server}`
    await createSlot(watcher.query, slot)
    await beginEpoch(watcher.query, `overlap-${server}-0000`)
    // An older transaction stays open while a younger one commits: a snapshot with xmin < younger < xmax.
    const older = begun(writer, `INSERT INTO public.item (id, org_id) VALUES (101, '${ORG_A}')`)
    await older.done
    await watcher.query(`INSERT INTO public.item (id, org_id) VALUES (102, $1)`, [ORG_A])
    const collector = new LineCollector()
    // The first snapshot of an epoch would wait for the older one, were it older than the epoch.
    const head = headOf(await readSnapshot(reader, AUDIENCE, collector))
    older.commit()
    await older.committed
    await watcher.query(`INSERT INTO public.item (id, org_id) VALUES (103, $1)`, [ORG_A])
    const stream = await streamOf(watcher.query, slot)
    expect(stream.flatMap((one) => one.items)).toEqual(['102', '101', '103'])
    const counts = arrivals(head, collector.of('public.item'), stream)
    expect([101, 102, 103].map((id) => counts.get(String(id)))).toEqual([1, 1, 1])
    await watcher.query('SELECT pg_drop_replication_slot($1)', [slot])
  })

  test('SNP-R2 SNP-04 writes, moves and TRUNCATE during the reading leave it at its moment', async () => {
    const gate = deferred()
    const reached = deferred()
    const collector = new LineCollector(async () => {
      reached.resolve()
      await gate.promise
    })
    const reading = readSnapshot(reader, AUDIENCE, collector)
    await reached.promise
    await writer.query(`UPDATE public.item SET org_id = $1, title = 'moved' WHERE id = 1`, [ORG_A])
    await writer.query(`UPDATE public.item SET org_id = $1 WHERE id = 2`, [ORG_B])
    await writer.query('DELETE FROM public.item WHERE id = 4')
    await writer.query(`INSERT INTO public.item (id, org_id) VALUES (8, $1)`, [ORG_A])
    const truncate = writer.query('TRUNCATE public.item')
    await untilWaiting(watcher, await pidRunning(watcher, 'TRUNCATE public.item'), 'Lock')
    gate.resolve()
    headOf(await reading)
    await truncate
    expect(collector.of('public.item')).toEqual([2, 4, 6].map((id) => `${id}\t${ORG_A}\titem ${id}`))
    expect((await read(AUDIENCE)).of('public.item')).toEqual([])
  })

  /** Begins a reading, and answers it, unfinished, once it has given its first rows; it goes on when it is told to. */
  async function holdReading() {
    const gate = deferred()
    const reached = deferred()
    const reading = readSnapshot(
      reader,
      AUDIENCE,
      new LineCollector(async () => {
        reached.resolve()
        await gate.promise
      }),
    )
    await reached.promise
    return { reading, goOn: gate.resolve }
  }

  test('SNP-R2 what the locks let pass is looked for once more after the last row', async () => {
    const { reading, goOn } = await holdReading()
    await writer.query('CREATE TABLE public.kid () INHERITS (public.item)')
    goOn()
    expect(await reading).toEqual({ wait: 'altered' })
    await writer.query('DROP TABLE public.kid')
    headOf(await readSnapshot(reader, AUDIENCE, new LineCollector()))
  })

  test('DEF-R1 MIG-R22 a migration that waits for its tables ends the reading, which is tried again; others who wait do not', async () => {
    await writer.query(`INSERT INTO public.item (id, org_id) SELECT n, $1 FROM generate_series(100, 500) n`, [ORG_A])
    const readWhileWaiting = async (application: string) => {
      const { reading, goOn } = await holdReading()
      const reachedMs = Date.now()
      await writer.query(`SELECT set_config('application_name', $1, false)`, [application])
      const locking = begun(writer, 'LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE')
      await untilWaiting(watcher, await pidRunning(watcher, 'LOCK TABLE public.item %'), 'Lock')
      await until(async () => Date.now() - reachedMs > 1_000)
      goOn()
      const outcome = await reading
      await locking.done
      locking.commit()
      await locking.committed
      return outcome
    }
    expect(await readWhileWaiting(MIGRATION_APPLICATION)).toEqual({ wait: 'locked' })
    expect(reader.usable).toBe(true)
    headOf(await readWhileWaiting('psql'))
    expect((await read(AUDIENCE)).of('public.item')).toHaveLength(404)
  })

  test.each([
    [
      'TRUNCATE and a row after it',
      `TRUNCATE public.item, public.setting; INSERT INTO public.item (id, org_id) VALUES (9, '${ORG_A}')`,
      [`9\t${ORG_A}\t`],
    ],
    [
      'ADD COLUMN',
      `ALTER TABLE public.item ADD COLUMN extra_${server} text DEFAULT 'x'`,
      [2, 4, 6].map((id) => `${id}\t${ORG_A}\titem ${id}`),
    ],
  ])('SNP-R2 SNP-20 %s that begins first is waited for and wholly seen', async (_, ddl, expected) => {
    const change = begun(writer, ddl)
    await change.done
    const collector = new LineCollector()
    const reading = readSnapshot(reader, AUDIENCE, collector)
    await untilWaiting(watcher, await pidRunning(watcher, 'LOCK TABLE%'), 'Lock')
    change.commit()
    await change.committed
    headOf(await reading)
    expect(collector.of('public.item')).toEqual(expected)
  })

  test('SNP-R2 CAP-R38 rows that were rewritten are not read before a definition says so', async () => {
    const change = begun(writer, `ALTER TABLE public.item ALTER COLUMN title TYPE text USING upper(title)`)
    await change.done
    const reading = readSnapshot(reader, AUDIENCE, new LineCollector())
    await untilWaiting(watcher, await pidRunning(watcher, 'LOCK TABLE%'), 'Lock')
    change.commit()
    await change.committed
    expect(await reading).toEqual({ wait: 'altered' })
    expect(waitsForCapture('altered')).toBe(true)
    await writer.transaction(async ({ query }) => void (await applyDefinition(query, snapshotSync)))
    expect(await readSnapshot(reader, AUDIENCE, new LineCollector())).toEqual({ wait: 'definition-ahead' })
    await beginEpoch(watcher.query, `upper-${server}-00000`)
    expect((await read(AUDIENCE)).of('public.item')).toEqual([2, 4, 6].map((id) => `${id}\t${ORG_A}\tITEM ${id}`))
  })

  test('SNP-R2 SNP-20 a definition that changed while the locks were waited for is read anew', async () => {
    const gate = deferred()
    const begunChange = deferred()
    const change = writer.transaction(async ({ query }) => {
      await query('ALTER TABLE public.note RENAME COLUMN body TO content')
      await applyDefinition(query, renamedSync())
      begunChange.resolve()
      await gate.promise
    })
    await begunChange.promise
    const reading = readSnapshot(reader, 'user:u1', new LineCollector())
    await untilWaiting(watcher, await pidRunning(watcher, 'LOCK TABLE%'), 'Lock')
    gate.resolve()
    await change
    expect(await reading).toEqual({ wait: 'definition-changed' })
    // Capture has not passed that commit: rows of the former shape could still come.
    expect(await readSnapshot(reader, 'user:u1', new LineCollector())).toEqual({ wait: 'definition-ahead' })
    await beginEpoch(watcher.query, `renamed-${server}-0000`)
    expect((await read('user:u1')).of('public.note')).toEqual(['1\tu1\tmine'])
    await writer.transaction(async ({ query }) => {
      await query('ALTER TABLE public.note RENAME COLUMN content TO body')
      await applyDefinition(query, snapshotSync)
    })
  })

  test('SNP-R5 a definition change in history lets snapshots of the new shape begin there', async () => {
    await writer.transaction(async ({ query }) => {
      await applyDefinition(query, defineSync({ tables: { item: snapshotSync.tables.item } }))
    })
    expect(await readSnapshot(reader, AUDIENCE, new LineCollector())).toEqual({ wait: 'definition-ahead' })
    await writer.query(
      `WITH moved AS (UPDATE tidemark.epoch SET head_lsn = pg_current_wal_insert_lsn() WHERE ended_at IS NULL RETURNING id, head_lsn)
       INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, data, schema_version, committed_at)
       SELECT id, head_lsn, 0, 3, '3', 'tidemark.sync_definition', 'definition', jsonb_build_object('version', version::text), version, now()
       FROM moved, (SELECT max(version) AS version FROM tidemark.sync_definition) latest`,
    )
    const collector = new LineCollector()
    headOf(await readSnapshot(reader, AUDIENCE, collector))
    expect([...collector.lines.keys()]).toEqual(['public.item'])
    await writer.transaction(async ({ query }) => void (await applyDefinition(query, snapshotSync)))
  })

  test('SNP-R2 a lock held for long is given up and told', async () => {
    const held = begun(writer, 'LOCK TABLE public.note IN ACCESS EXCLUSIVE MODE')
    await held.done
    expect(await readSnapshot(reader, AUDIENCE, new LineCollector())).toEqual({ wait: 'locked' })
    held.commit()
    await held.committed
    expect(reader.usable).toBe(true)
  })

  test('SNP-R6 no definition, no epoch, a table gone: each is told', async () => {
    await writer.query('UPDATE tidemark.epoch SET ended_at = now() WHERE ended_at IS NULL')
    expect(await readSnapshot(reader, AUDIENCE, new LineCollector())).toEqual({ wait: 'no-epoch' })
    await beginEpoch(writer.query, `gone-${server}-0000000`)
    await writer.query('ALTER TABLE public.note RENAME TO note_away')
    await expect(readSnapshot(reader, AUDIENCE, new LineCollector())).rejects.toMatchObject({ kind: 'schema-drift' })
    await writer.query('ALTER TABLE public.note_away RENAME TO note')
    await writer.query('ALTER TABLE public.note RENAME COLUMN body TO other')
    // Until capture has decided about the table nothing is read that would not fit.
    expect(await readSnapshot(reader, 'user:u1', new LineCollector())).toEqual({ wait: 'altered' })
    await writer.query('ALTER TABLE public.note RENAME COLUMN other TO body')
    // Nothing captures here that would have taken these changes over.
    await writer.transaction(async ({ query }) => void (await applyDefinition(query, snapshotSync)))
  })

  test('SNP-R3 the start lies below the first captured transaction that the snapshot does not show', async () => {
    const slot = `captured_${server}`
    await createSlot(watcher.query, slot)
    const epoch = `captured-${server}-000`
    await beginEpoch(watcher.query, epoch)
    const [{ xid } = {}] = await watcher.query(
      `WITH one AS (INSERT INTO public.item (id, org_id) VALUES (200, $1)) SELECT pg_current_xact_id()::text AS xid`,
      [ORG_A],
    )
    const [transaction] = (await streamOf(watcher.query, slot)).filter((one) => one.items.includes('200'))
    if (!transaction || xid == null) throw new Error('not streamed')
    await captureTransaction(watcher.query, epoch, transaction, xid)
    const shown = headOf(await readSnapshot(reader, AUDIENCE, new LineCollector()))
    expect(shown.start).toBe(transaction.lsn)
    // Were it hidden, as a commit is that still awaits its standby, it must be streamed: an id from the future stands for it.
    await watcher.query(`UPDATE tidemark.change_history SET transaction_id = '99999999999' WHERE epoch = $1`, [epoch])
    const hidden = headOf(await readSnapshot(reader, AUDIENCE, new LineCollector()))
    expect(hidden.start < transaction.lsn).toBe(true)
    expect(hidden.fence >= transaction.lsn).toBe(true)
    await watcher.query('SELECT pg_drop_replication_slot($1)', [slot])
  })

  async function pidRunning(database: Database, statement: string): Promise<string> {
    let pid = ''
    await until(async () => {
      const [row] = await database.query(
        `SELECT pid::text FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND query LIKE $2 AND pid <> pg_backend_pid()`,
        [own.name, statement],
      )
      pid = row?.pid ?? ''
      return pid !== ''
    })
    return pid
  }
})

const renamedNote = pgTable('note', { id: integer('id'), userId: text('user_id'), content: text('content') })

function renamedSync() {
  return defineSync({
    tables: {
      ...snapshotSync.tables,
      note: {
        ...snapshotSync.tables.note,
        table: renamedNote,
        audience: { column: renamedNote.userId, prefix: 'user' },
      },
    },
  })
}

interface Deferred {
  readonly promise: Promise<void>
  resolve(): void
}

function deferred(): Deferred {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Runs a statement in a transaction that stays open until it is ended. */
function begun(
  database: Database,
  statement: string,
): { done: Promise<void>; commit: () => void; committed: Promise<void> } {
  const gate = deferred()
  const started = deferred()
  const committed = database.transaction(async ({ query }) => {
    await query(statement)
    started.resolve()
    await gate.promise
  })
  return { done: Promise.race([started.promise, committed]), commit: gate.resolve, committed }
}
