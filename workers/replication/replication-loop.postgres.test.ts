import { integer, pgTable } from 'drizzle-orm/pg-core'
import { expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { createDatabase } from '../../testing/postgres/create-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { CaptureTally } from './capture-tally.ts'
import { ReplicationLoop } from './replication-loop.ts'
import { ReplicationStorage } from './replication-storage.ts'
import { Router } from './router.ts'
import { boundedIntervals } from './rules/interval.ts'

const item = pgTable('item', { id: integer('id').primaryKey() })
const sync = defineSync({ tables: { item: table(item, { audience: 'all' }) } })

test('CAP-R25 a fresh head asked for while another run connects is still fresh when that run fails', async () => {
  const database = await createDatabase(servers().system)
  await database.install('CREATE TABLE item (id int PRIMARY KEY)', sync)
  const app = await database.open()
  let failing = false
  const nowMs = () => {
    if (!failing) return Date.now()
    failing = false
    throw new Error('gone')
  }
  const storage = new ReplicationStorage({ exec: () => [] })
  const surroundings = { storage, nowMs, random: () => 0 }
  const router = new Router({
    ...surroundings,
    objects: {
      getByName: () => ({
        deliver: async ({ epoch, to }) => ({ epoch, head: to }),
        fetch: async () => new Response(),
      }),
    },
    background: () => {},
    delivered: () => {},
  })
  const loop = new ReplicationLoop({
    heard: () => {},
    onEvent: () => {},
    ...surroundings,
    env: database.env,
    own: { owner: 'tests', slotName: `slot_${database.name}`, decoder: 'auto' },
    sync,
    intervals: boundedIntervals(),
    watch: false,
    retentionMs: null,
    router,
    tally: new CaptureTally(Date.now),
  })
  await loop.run()
  const observer = `observer_${database.name}`
  await app.query(`SELECT pg_create_logical_replication_slot($1, 'wal2json')`, [observer])
  // The run fails after it has asked for the position and before it captures.
  failing = true
  const failed = loop.run()
  const fresh = loop.runFresh()
  await expect(failed).rejects.toThrow()
  await fresh
  const rows = await app.query(
    `SELECT data FROM pg_logical_slot_peek_changes($1, NULL, NULL, 'format-version', '2') WHERE data LIKE '%"M"%'`,
    [observer],
  )
  expect(rows).toHaveLength(2)
  await app.query('SELECT pg_drop_replication_slot($1)', [observer])
  await app.close()
  await database.drop()
})
