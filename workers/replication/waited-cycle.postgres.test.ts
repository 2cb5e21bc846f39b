import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { parsePgLsn, ZERO_LSN } from '../../protocol/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { servers } from '../../testing/postgres/servers.ts'
import type { Database } from '../database/index.ts'
import type { WaitedPeek } from './short-peek.ts'
import { WalWatch } from './wal-watch.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY, org text)'

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
] as const)('cycles after waits, through $decoder', ({ decoder, server }) => {
  let harness: CaptureHarness
  let watch: WalWatch

  beforeEach(async () => {
    harness = await startCapture(servers()[server], decoder, SCHEMA, sync)
    watch = new WalWatch(harness.database.env, Date.now)
    // After a quiet cycle the next peek is likely to be short.
    await harness.drain()
    await harness.cycle()
  })
  afterEach(async () => {
    await watch.close()
    await harness.close()
  })

  /** Moves the slot where that is owed, and peeks at once. */
  async function wait(): Promise<WaitedPeek | null> {
    const { advance, peekOrder } = harness.capture
    const advanceTo = advance.owed
    const { slotName } = harness.settings
    const order = { slotName, past: ZERO_LSN, atLeastMs: 0, ownXid: null, advanceTo, peek: peekOrder }
    const { done, peeked } = await watch.wait(order)
    if (done && advanceTo !== null) advance.moved(advanceTo)
    return peeked
  }
  const cycle = (waited: WaitedPeek | null, through: Database = harness.connection) =>
    harness.capture.cycle(
      through,
      () => true,
      (batch) => void harness.batches.push(batch),
      { waited, deferAdvance: true },
    )
  const ids = async () => (await harness.history()).map(({ key }) => key?.id)
  const confirmed = async () => {
    const query = 'SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1'
    return parsePgLsn((await harness.query(query, [harness.settings.slotName]))[0]?.lsn ?? '')
  }

  test('CAP-R30 CAP-R34 what a wait peeked is stored by one statement, and the next wait moves the slot', async () => {
    await harness.run(`INSERT INTO item VALUES (1, 'a')`)
    let statements = 0
    const counting: Database = {
      usable: true,
      processId: harness.connection.processId,
      rows: harness.connection.rows,
      transaction: (run, options) => harness.connection.transaction(run, options),
      close: () => harness.connection.close(),
      reset: () => harness.connection.reset(),
      query: (statement, params) => {
        statements += 1
        return harness.connection.query(statement, params)
      },
    }
    const before = await confirmed()
    expect(await cycle(await wait(), counting)).toMatchObject({ storedRows: 1 })
    expect(statements).toBe(1)
    expect(await ids()).toEqual(['1'])
    expect(harness.batches.at(-1)?.transactions).toHaveLength(1)
    expect(await confirmed()).toBe(before)
    const owed = harness.capture.advance.owed
    expect(owed).not.toBeNull()
    await harness.run(`INSERT INTO item VALUES (2, 'a')`)
    const waited = await wait()
    expect(await confirmed()).toBe(owed)
    await cycle(waited)
    await harness.drain()
    expect(harness.capture.advance.owed).toBeNull()
    expect(await ids()).toEqual(['1', '2'])
  })

  test('CAP-R30 a peek that another cycle has overtaken stores nothing twice', async () => {
    await harness.run(`INSERT INTO item VALUES (1, 'a')`)
    const waited = await wait()
    await harness.drain()
    await cycle(waited)
    await harness.drain()
    expect(await ids()).toEqual(['1'])
  })

  test('CAP-R30 CAP-R12 a slot that others moved after the wait is seen before anything is stored', async () => {
    await harness.run(`INSERT INTO item VALUES (1, 'a')`)
    const waited = await wait()
    await harness.query('SELECT pg_replication_slot_advance($1, pg_current_wal_flush_lsn())', [
      harness.settings.slotName,
    ])
    const epoch = harness.capture.state?.epoch.id ?? ''
    await expect(cycle(waited)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await harness.history()).toEqual([])
    await harness.drain()
    expect(harness.capture.state?.epoch.id).not.toBe(epoch)
    expect(harness.capture.state?.startedReason).toBe('slot-moved')
  })

  test('CAP-R34 beyond our own writes is waited only where nobody else has committed since', async () => {
    const [own] = await harness.query('SELECT pg_current_xact_id()::text AS xid')
    await harness.run(`INSERT INTO item VALUES (1, 'a')`)
    const order = { slotName: 'none', past: ZERO_LSN, atLeastMs: 0, advanceTo: null, peek: null }
    // The insert has come since, so this returns at once; a wait beyond our own writes would last a second.
    expect(await watch.wait({ ...order, ownXid: own?.xid ?? null })).toEqual({ done: true, peeked: null })
    expect(watch.obstacle).toBeNull()
  })
})
