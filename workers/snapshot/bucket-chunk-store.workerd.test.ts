import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { type Manifest, manifestSchema } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { beginEpoch } from '../../testing/snapshot/snapshot-fixture.ts'
import { until } from '../../testing/system/until.ts'
import { bucketFaults, type LoneBucketDO } from '../../testing/workerd/lone-snapshot.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'

const bindings = env as unknown as { LONE_BUCKET: DurableObjectNamespace<LoneBucketDO>; TEST_BUCKET: R2Bucket }
const AUDIENCE = 'org:a'
const item = pgTable('item', { id: integer('id'), org: text('org'), title: text('title') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = `
  CREATE TABLE public.item (id int PRIMARY KEY, org text, title text NOT NULL);
  --> statement-breakpoint
  INSERT INTO public.item SELECT n, 'a', n || repeat(md5(n::text), 40) FROM generate_series(1, 1500) n`

describe('chunks in a bucket', () => {
  const own = useTestDatabase(servers().embedded)
  const database = useConnection(own)
  let objects = 0
  let stub: DurableObjectStub<LoneBucketDO>

  beforeAll(async () => {
    await own.install(SCHEMA, sync)
    useDatabase(own.env)
  })
  beforeEach(async () => {
    objects += 1
    Object.assign(bucketFaults, { unbound: false, put: false, get: false, delete: false })
    await beginEpoch(database.query, `epoch-${objects}`)
    stub = bindings.LONE_BUCKET.getByName(`${AUDIENCE}/bucket/${objects}`)
    await bindings.TEST_BUCKET.delete(await keys())
  })

  const keys = async () => (await bindings.TEST_BUCKET.list()).objects.map(({ key }) => key)
  const sql = <T>(run: (sql: SqlStorage) => T) => runInDurableObject(stub, (_, state) => run(state.storage.sql))
  const piecesHere = () => sql((storage) => storage.exec('SELECT 1 FROM chunk_piece').toArray().length)

  async function fetchManifest(): Promise<Manifest> {
    return manifestSchema.parse(JSON.parse((await stub.manifest(AUDIENCE)).manifest))
  }

  const idsOf = (manifest: Manifest) => manifest.tables.flatMap(({ chunks }) => chunks.map(({ id }) => id))

  /** The object checks each against its id, so that equal ids mean equal bytes. */
  async function readAll(manifest: Manifest): Promise<number> {
    let read = 0
    for (const id of idsOf(manifest)) if ((await stub.chunk(id)) !== null) read += 1
    return read
  }

  async function sweep(): Promise<void> {
    await sql((storage) => storage.exec('UPDATE build SET drop_at_ms = 1 WHERE drop_at_ms IS NOT NULL'))
    await runDurableObjectAlarm(stub)
  }

  test('SNP-17 SNP-R9 the bucket holds the bytes that the object’s own storage would, below the audience', async () => {
    const manifest = await fetchManifest()
    const ids = idsOf(manifest)
    expect(ids.length).toBeGreaterThan(1)
    expect(await piecesHere()).toBe(0)
    const found = await keys()
    expect(found.map((key) => key.split('/').at(-1)).sort()).toEqual([...ids].sort())
    expect(new Set(found.map((key) => key.split('/').slice(0, 3).join('/'))).size).toBe(1)
    await evictDurableObject(stub)
    expect(await readAll(manifest)).toBe(ids.length)
    bucketFaults.unbound = true
    stub = bindings.LONE_BUCKET.getByName(`${AUDIENCE}/none/${objects}`)
    expect(idsOf(await fetchManifest())).toEqual(ids)
    expect(await piecesHere()).toBeGreaterThan(0)
    expect(await readAll(manifest)).toBe(ids.length)
  })

  test('SNP-17 SNP-R9 a bucket that refuses chunks leaves them to the object’s own storage', async () => {
    bucketFaults.put = true
    const manifest = await fetchManifest()
    expect(await keys()).toEqual([])
    expect(await readAll(manifest)).toBe(idsOf(manifest).length)
  })

  test.each(['fails', 'has lost one', 'is bound no more'])(
    'SNP-17 SNP-R9 where the bucket %s, the snapshot is built anew with the same bytes',
    async (how) => {
      const first = await fetchManifest()
      const ids = idsOf(first)
      if (how === 'fails') bucketFaults.get = true
      if (how === 'has lost one') await bindings.TEST_BUCKET.delete(await keys())
      if (how === 'is bound no more') {
        bucketFaults.unbound = true
        await evictDurableObject(stub)
      }
      expect(await stub.chunk(ids[0] ?? '')).toBeNull()
      expect(await stub.chunk(ids[1] ?? '')).toBeNull()
      const second = await fetchManifest()
      expect(second.builtAt > first.builtAt).toBe(true)
      expect(idsOf(second)).toEqual(ids)
      expect(await readAll(second)).toBe(ids.length)
    },
  )

  test('SNP-R10 former snapshots leave the bucket, also when it refused at first; the current one stays', async () => {
    const first = await fetchManifest()
    await database.query(`UPDATE public.item SET title = title || '!' WHERE id = 1`)
    await sql((storage) => storage.exec('UPDATE build SET started_at_ms = started_at_ms - 3600001'))
    const second = await fetchManifest()
    expect(await keys()).toHaveLength(idsOf(first).length + idsOf(second).length)
    bucketFaults.delete = true
    await sweep()
    expect(await keys()).toHaveLength(idsOf(first).length + idsOf(second).length)
    expect(await readAll(second)).toBe(idsOf(second).length)
    bucketFaults.delete = false
    await until(async () => {
      await sweep()
      return (await keys()).length === idsOf(second).length
    })
    expect(await readAll(second)).toBe(idsOf(second).length)
    expect(await sql((storage) => storage.exec('SELECT DISTINCT build FROM bucket_chunk').toArray())).toHaveLength(1)
  })
})
