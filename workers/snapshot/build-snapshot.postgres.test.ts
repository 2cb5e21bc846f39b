import { beforeAll, describe, expect, test } from 'vitest'
import { LIMITS, manifestSchema } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import { beginEpoch } from '../../testing/snapshot/snapshot-fixture.ts'
import { BUILD_ATTEMPTS } from './build-patience.ts'
import { type BuildSurroundings, buildSnapshot } from './build-snapshot.ts'
import type { WaitReason } from './join-position.ts'

const ROWS = 100_000

describe('building a snapshot', () => {
  const own = useTestDatabase(servers().system)
  const database = useConnection(own)

  beforeAll(async () => {
    await own.install(SNAPSHOT_SCHEMA, snapshotSync)
    await database.query(
      `INSERT INTO public.item SELECT n, $1::uuid, 'title ' || md5(n::text), NULL FROM generate_series(1, ${ROWS}) n`,
      [ORG_A],
    )
    await database.query(`INSERT INTO public.setting SELECT 'key ' || n, 'v' FROM generate_series(1, 3) n`)
  })

  function surroundings(wait: (reason: WaitReason) => Promise<void>): BuildSurroundings {
    return { withDatabase: (run) => run(database), wait, nowMs: () => Date.UTC(2026, 10, 20), random: () => 0 }
  }

  test('SNP-R5 SNP-R7 SNP-11 100,000 rows come in bounded chunks, stored before the manifest is given out', async () => {
    const waits: WaitReason[] = []
    const stored = new Map<string, number>()
    const put = async (id: string, bytes: Uint8Array) => void stored.set(id, bytes.byteLength)
    const { manifest } = await buildSnapshot(
      `org:${ORG_A}`,
      put,
      surroundings(async (reason) => {
        waits.push(reason)
        await beginEpoch(database.query, 'begun-meanwhile')
      }),
    )
    expect(waits).toEqual(['no-epoch'])
    expect(manifestSchema.parse(JSON.parse(JSON.stringify(manifest)))).toEqual(manifest)
    expect(manifest.tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['public.setting', 0],
      ['public.note', 0],
      ['public.item', ROWS],
    ])
    const chunks = manifest.tables.flatMap((table) => table.chunks)
    expect(chunks.length).toBeGreaterThan(5)
    for (const chunk of chunks) {
      expect(chunk.rawBytes).toBeLessThanOrEqual(LIMITS.chunkRawBytes)
      expect(stored.get(chunk.id)).toBe(chunk.bytes)
    }
    expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(ROWS)
    expect(manifest).toMatchObject({
      builtAt: '2026-11-20T00:00:00.000Z',
      epoch: 'begun-meanwhile',
      audience: `org:${ORG_A}`,
    })
  })

  test('SNP-R5 patience has an end, which is told by type', async () => {
    await database.query('UPDATE tidemark.epoch SET ended_at = now() WHERE ended_at IS NULL')
    let waits = 0
    const building = buildSnapshot(
      'all',
      async () => {},
      surroundings(async () => {
        waits += 1
      }),
    )
    await expect(building).rejects.toMatchObject({ kind: 'unavailable' })
    expect(waits).toBe(BUILD_ATTEMPTS - 1)
  })
})
