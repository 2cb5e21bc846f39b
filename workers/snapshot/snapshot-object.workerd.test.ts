import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { applyDefinition, defineSync, table } from '../../db/index.ts'
import { type Manifest, manifestSchema } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { beginEpoch } from '../../testing/snapshot/snapshot-fixture.ts'
import { until } from '../../testing/system/until.ts'
import type { LoneSnapshotDO } from '../../testing/workerd/lone-snapshot.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'

const namespace = (env as unknown as { LONE_SNAPSHOT: DurableObjectNamespace<LoneSnapshotDO> }).LONE_SNAPSHOT
const ORG = 'aaaaaaaa-0000-4000-8000-00000000000a'
const AUDIENCE = `org:${ORG}`
const ROWS = 6000
/** While somebody holds it, reading table `later` blocks, and with it a build that has stored the chunks of `item`. */
const GATE_KEY = 4711

const item = pgTable('item', { id: integer('id'), orgId: uuid('org_id'), title: text('title') })
const later = pgTable('later', { id: integer('id'), orgId: uuid('org_id') })
const sync = defineSync({
  tables: {
    item: table(item, { audience: { column: item.orgId, prefix: 'org' }, priority: 1 }),
    later: table(later, { audience: { column: later.orgId, prefix: 'org' }, priority: 2 }),
  },
})
const SCHEMA = `
  CREATE TABLE public.item (id int PRIMARY KEY, org_id uuid, title text NOT NULL);
  --> statement-breakpoint
  CREATE TABLE public.later (id int PRIMARY KEY, org_id uuid);
  --> statement-breakpoint
  ALTER TABLE public.later ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  CREATE POLICY gate ON public.later TO tidemark_client USING ((SELECT pg_advisory_xact_lock_shared(${GATE_KEY})) IS NOT NULL);
  --> statement-breakpoint
  INSERT INTO public.item SELECT n, '${ORG}', n || repeat(md5(n::text), 10) FROM generate_series(1, ${ROWS}) n;
  --> statement-breakpoint
  INSERT INTO public.later VALUES (1, '${ORG}')`

describe.each(['embedded', 'system'] as const)('the SnapshotDO with the %s Postgres', (name) => {
  const own = useTestDatabase(servers()[name])
  const database = useConnection(own)
  let objects = 0
  let stub: DurableObjectStub<LoneSnapshotDO>

  beforeAll(async () => {
    await own.install(SCHEMA, sync)
    useDatabase(own.env)
  })
  beforeEach(async () => {
    objects += 1
    await beginEpoch(database.query, `epoch-${objects}`)
    stub = namespace.getByName(`${AUDIENCE}/${name}/${objects}`)
  })

  async function fetchManifest(): Promise<Manifest> {
    const { manifest } = await stub.manifest(AUDIENCE)
    return manifestSchema.parse(JSON.parse(manifest))
  }

  async function unzip(bytes: Uint8Array): Promise<string> {
    return await new Response(
      new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip')),
    ).text()
  }

  async function loadLines(manifest: Manifest): Promise<string[]> {
    const lines: string[] = []
    for (const { id } of manifest.tables.flatMap((one) => one.chunks)) {
      const bytes = await stub.chunk(id)
      if (bytes === null) throw new Error(`chunk ${id} is gone`)
      lines.push(...(await unzip(bytes)).split('\n').slice(0, -1))
    }
    return lines
  }

  const sql = <T>(run: (sql: SqlStorage) => T) => runInDurableObject(stub, (_, state) => run(state.storage.sql))
  const builds = () =>
    sql((storage) =>
      storage
        .exec<{ finished: number; doomed: number }>(
          'SELECT finished, drop_at_ms IS NOT NULL AS doomed FROM build ORDER BY started_at_ms',
        )
        .toArray(),
    )

  async function blockedBuild(): Promise<void> {
    await until(async () => {
      const waiting = await database.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`,
      )
      return waiting.length > 0
    })
  }

  test('SNP-R6 SNP-06 SNP-01 many ask, one build; it outlives an eviction', async () => {
    const manifests = await Promise.all(Array.from({ length: 20 }, fetchManifest))
    const [manifest] = manifests
    if (!manifest) throw new Error('no manifest')
    expect(new Set(manifests.map((one) => one.builtAt)).size).toBe(1)
    expect(await builds()).toEqual([{ finished: 1, doomed: 0 }])
    expect(manifest).toMatchObject({ audience: AUDIENCE, epoch: `epoch-${objects}` })
    expect(manifest.tables.map(({ table: id, rows }) => [id, rows])).toEqual([
      ['public.item', ROWS],
      ['public.later', 1],
    ])
    expect(manifest.tables[0]?.chunks.length).toBeGreaterThan(1)
    const lines = await loadLines(manifest)
    expect(lines).toHaveLength(ROWS + 1)
    await evictDurableObject(stub)
    expect(await fetchManifest()).toEqual(manifest)
    expect(await loadLines(manifest)).toEqual(lines)
    expect(await builds()).toHaveLength(1)
  })

  test('SNP-R6 SNP-06 SNP-13 past its age, or in another epoch, it is built anew; the former chunks end well, then go', async () => {
    const first = await fetchManifest()
    await database.query(`UPDATE public.item SET title = 'new' || id WHERE id = 1`)
    expect((await fetchManifest()).builtAt).toBe(first.builtAt)
    await sql((storage) => storage.exec('UPDATE build SET started_at_ms = started_at_ms - 3600001'))
    const second = await fetchManifest()
    expect(second.fence > first.fence).toBe(true)
    await beginEpoch(database.query, `other-${objects}`)
    const third = await fetchManifest()
    expect(third.epoch).toBe(`other-${objects}`)
    expect(await builds()).toHaveLength(3)
    await evictDurableObject(stub)
    expect(await loadLines(first)).toHaveLength(ROWS + 1)
    await sql((storage) => storage.exec('UPDATE build SET drop_at_ms = 1 WHERE drop_at_ms IS NOT NULL'))
    await until(async () => {
      await runDurableObjectAlarm(stub)
      return (await builds()).length === 1
    })
    expect(await sql((storage) => storage.exec('SELECT DISTINCT build FROM chunk_piece').toArray())).toHaveLength(1)
    expect(await loadLines(third)).toHaveLength(ROWS + 1)
  })

  test('SNP-R6 SNP-13 another definition is another snapshot', async () => {
    const first = await fetchManifest()
    const narrow = defineSync({ tables: { item: sync.tables.item } })
    await database.transaction(({ query }) => applyDefinition(query, narrow))
    await beginEpoch(database.query, `narrow-${objects}`)
    const second = await fetchManifest()
    expect(second.definitionHash).not.toBe(first.definitionHash)
    expect(second.tables.map((one) => one.table)).toEqual(['public.item'])
    await database.transaction(({ query }) => applyDefinition(query, sync))
  })

  test('SNP-R7 SNP-07 a build that is killed serves no half manifest, and its chunks are swept', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const holder = await own.open()
    const held = holder.transaction(async ({ query }) => {
      await query(`SELECT pg_advisory_xact_lock(${GATE_KEY})`)
      await gate
    })
    const doomed = expect(fetchManifest()).rejects.toThrow()
    await blockedBuild()
    await until(() => sql((storage) => storage.exec('SELECT 1 FROM chunk_piece').toArray().length > 0))
    await runInDurableObject(stub, (_, state) => state.abort('killed')).catch(() => {})
    await doomed
    stub = namespace.getByName(`${AUDIENCE}/${name}/${objects}`)
    expect(await builds()).toEqual([{ finished: 0, doomed: 1 }])
    release()
    await held
    await holder.close()
    const manifest = await fetchManifest()
    expect(await loadLines(manifest)).toHaveLength(ROWS + 1)
    await until(async () => {
      await runDurableObjectAlarm(stub)
      return (await builds()).length === 1
    })
    expect(await builds()).toEqual([{ finished: 1, doomed: 0 }])
    expect(await sql((storage) => storage.exec('SELECT DISTINCT build FROM chunk_piece').toArray())).toHaveLength(1)
    expect(await loadLines(manifest)).toHaveLength(ROWS + 1)
  })

  test.each(['at once', 'after an eviction'])(
    'SNP-R7 SNP-08 a chunk damaged in storage is refused %s, and the snapshot built anew',
    async (when) => {
      const first = await fetchManifest()
      const broken = first.tables[0]?.chunks[0]?.id ?? ''
      await sql((storage) => storage.exec(`UPDATE chunk_piece SET bytes = x'00ff' WHERE chunk = ?`, broken))
      if (when !== 'at once') await evictDurableObject(stub)
      expect(await stub.chunk(broken)).toBeNull()
      const second = await fetchManifest()
      expect(second.builtAt > first.builtAt).toBe(true)
      expect(await loadLines(second)).toHaveLength(ROWS + 1)
    },
  )

  test('SNP-R7 SNP-08 a damaged copy of a former build does not bring down the one that follows', async () => {
    const manifest = await fetchManifest()
    const [id = ''] = manifest.tables[0]?.chunks.map((one) => one.id) ?? []
    for (const build of ['0', 'z'])
      await sql((storage) => storage.exec(`INSERT INTO chunk_piece VALUES (?, ?, 0, x'00ff')`, build, id))
    expect(await loadLines(manifest)).toHaveLength(ROWS + 1)
    expect(await fetchManifest()).toEqual(manifest)
  })

  test('SNP-R7 SEC-02 what is no chunk of this object is absent', async () => {
    await fetchManifest()
    for (const id of ['0'.repeat(64), '', '../x', "' OR 1=1 --"]) expect(await stub.chunk(id)).toBeNull()
  })

  test('SNP-R8 SNP-18 downloads hold no connection to Postgres', async () => {
    const manifest = await fetchManifest()
    const [chunk] = manifest.tables.flatMap((one) => one.chunks)
    const open = () =>
      database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark snapshot'`,
      )
    await until(async () => (await open()).length === 0)
    expect(await stub.chunk(chunk?.id ?? '')).not.toBeNull()
    expect(await open()).toEqual([])
  })

  test('SNP-R5 a build waits for capture to begin, and says so when it does not', async () => {
    await database.query('UPDATE tidemark.epoch SET ended_at = now() WHERE ended_at IS NULL')
    const waiting = fetchManifest()
    await until(async () => (await builds()).length === 1)
    await beginEpoch(database.query, `late-${objects}`)
    expect((await waiting).epoch).toBe(`late-${objects}`)
  })

  test('SNP-R1 SEC-05 what names no audience is refused by type, across the call', async () => {
    const refused = await stub.manifest('Not An Audience').then(
      () => null,
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({ kind: 'bad-input' })
  })
})
