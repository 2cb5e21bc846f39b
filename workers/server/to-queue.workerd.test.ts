import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import { until } from '../../testing/system/until.ts'
import { received, useDatabase } from '../../testing/workerd/worker.ts'
import type { SyncEnv } from '../env.ts'
import { type ChangesQueue, consumeChanges, toQueue } from './index.ts'

const { REPLICATION, CHANGES } = env as unknown as Pick<SyncEnv, 'REPLICATION'> & { CHANGES: ChangesQueue }
const capture = REPLICATION.getByName('main')

const database = useTestDatabase(servers().embedded)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(SNAPSHOT_SCHEMA, snapshotSync)
  await capture.freshHead(null)
})
afterAll(async () => {
  const own = (env as unknown as { REPLICATION: DurableObjectNamespace }).REPLICATION.getByName('main')
  await runInDurableObject(own, (_instance, state) => state.storage.deleteAlarm())
})

it('CSM-R5 CSM-R6 changes go through a Queue whole and in order, and a database is asked only where something was captured', async () => {
  const options = {
    env: { ...database.env, REPLICATION },
    name: 'queue',
    from: 'beginning',
    handle: toQueue(CHANGES),
  } as const
  await database.run(
    `INSERT INTO item SELECT n, '${ORG_A}', repeat('x', 3000), 'a secret' FROM generate_series(1, 300) AS n`,
  )
  await database.run(`INSERT INTO item VALUES (301, '${ORG_A}', repeat('x', 200000), 'a secret')`)
  await capture.freshHead(null)
  expect(await consumeChanges(options)).toEqual({ changes: 301, isTaken: false })
  const sent = () => received.flatMap(({ changes }) => changes)
  await until(() => sent().length === 301)
  const byId = new Map(sent().map((change) => [Number(change.key?.id), change]))
  expect([...byId.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 301 }, (_, index) => index + 1))
  expect(byId.get(1)).toMatchObject({ table: 'public.item', operation: 'insert', data: { title: 'x'.repeat(3_000) } })
  expect(byId.get(301)).toMatchObject({ data: null, isCut: true })
  expect(JSON.stringify(sent())).not.toContain('secret')
  for (const { changes } of received) {
    const ids = changes.map(({ key }) => Number(key?.id))
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  }
  // A database that cannot be reached is not missed where nothing was captured since.
  const nowhere = { ...options, env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', REPLICATION } }
  await until(async () => {
    const mark = await capture.owedChanges('queue')
    if (mark !== null) await capture.settleChanges('queue', mark)
    return (await consumeChanges(nowhere).catch(() => null))?.changes === 0
  })
  await database.run('DELETE FROM item WHERE id = 1')
  await capture.freshHead(null)
  expect(await capture.owedChanges('queue')).not.toBeNull()
  expect(await consumeChanges(options)).toEqual({ changes: 1, isTaken: false })
  await until(() => sent().length === 302)
  expect(sent().at(-1)).toMatchObject({ operation: 'delete', key: { id: '1' }, before: { org_id: ORG_A } })
})
