import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LIMITS, type TableDefinition } from '../../protocol/index.ts'
import { sha256Hex } from '../pack-chunk.ts'
import { ChunkCutter } from './chunk-cutter.ts'

const TABLE: TableDefinition = {
  id: 'public.t',
  schema: 'public',
  name: 't',
  columns: [
    { name: 'id', type: 'integer', notNull: true, generated: null },
    { name: 'twice', type: 'integer', notNull: false, generated: 'id * 2' },
  ],
  primaryKey: ['id'],
  audience: { constant: 'all' },
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
}

async function cut(lines: readonly string[]) {
  const stored = new Map<string, Uint8Array>()
  const cutter = new ChunkCutter(TABLE, async (id, bytes) => void stored.set(id, bytes))
  for (const line of lines) await cutter.line(line, new TextEncoder().encode(line).byteLength + 1)
  await cutter.end()
  return { stored, manifest: cutter.manifest() }
}

test('SNP-R7 chunks hold whole lines up to the limit, under their checksum, and no generated column', async () => {
  const lines = Array.from({ length: 3000 }, (_, id) => `${id}\t${'ä'.repeat(500)}`)
  const { stored, manifest } = await cut(lines)
  expect(manifest.columns).toEqual(['id'])
  expect(manifest.rows).toBe(3000)
  expect(manifest.chunks).toHaveLength(3)
  let text = ''
  for (const chunk of manifest.chunks) {
    const bytes = stored.get(chunk.id)
    if (!bytes) throw new Error('chunk not stored')
    expect(await sha256Hex(bytes)).toBe(chunk.id)
    expect(bytes.byteLength).toBe(chunk.bytes)
    const raw = gunzipSync(bytes)
    expect(raw.byteLength).toBe(chunk.rawBytes)
    expect(raw.byteLength).toBeLessThanOrEqual(LIMITS.chunkRawBytes)
    expect(raw.toString().split('\n')).toHaveLength(chunk.rows + 1)
    text += raw.toString()
  }
  expect(text).toBe(lines.map((line) => `${line}\n`).join(''))
  expect(manifest.bytes).toBe(manifest.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0))
})

test('SNP-R7 a line above the limit is a chunk of its own', async () => {
  const { manifest } = await cut(['a', 'x'.repeat(LIMITS.chunkRawBytes + 5), 'b'])
  expect(manifest.chunks.map((chunk) => chunk.rows)).toEqual([1, 1, 1])
})

test('SNP-R7 SNP-11 no rows, no chunks', async () => {
  expect((await cut([])).manifest).toMatchObject({ rows: 0, bytes: 0, chunks: [] })
})
