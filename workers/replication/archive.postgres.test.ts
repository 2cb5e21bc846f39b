import { gunzipSync } from 'node:zlib'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { dyingAt, Killed } from '../../testing/capture/dying-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { until } from '../../testing/system/until.ts'
import { columnsOf, EXACT, MOOD, NUMBERS, namesOf, rowsOf } from '../../testing/values/every-type.ts'
import type { ArchiveBucket } from '../env.ts'
import { sha256Hex } from '../pack-chunk.ts'
import { CaptureTally } from './capture-tally.ts'
import { archiveManifestSchema, HistoryArchive, manifestKey } from './history-archive.ts'
import { pruneHistory } from './retention.ts'
import { Upkeep } from './upkeep.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY, org text, note text)'
const FUTURE = '2999-01-01T00:00:00Z'
const DAY_MS = 86_400_000

describe('history that is pruned', () => {
  let miniflare: Miniflare
  let bucket: Awaited<ReturnType<Miniflare['getR2Bucket']>>
  let harness: CaptureHarness
  beforeAll(async () => {
    miniflare = new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script: 'export default { fetch: () => new Response() }',
        compatibilityDate: '2026-09-18',
        r2Buckets: ['ARCHIVE'],
      }),
    )
    bucket = await miniflare.getR2Bucket('ARCHIVE')
  })
  afterAll(() => miniflare.dispose())
  beforeEach(async () => {
    harness = await startCapture(servers().embedded, 'pgoutput', SCHEMA, sync)
  })
  afterEach(() => harness.close())

  const archiveTo = (put: (key: string) => void = () => {}): HistoryArchive => {
    const to: ArchiveBucket = {
      put: async (key, bytes) => {
        put(key)
        return bucket.put(key, bytes)
      },
      get: async (key) => await bucket.get(key),
    }
    return new HistoryArchive(to)
  }
  const epochId = () => harness.capture.state?.epoch.id ?? ''
  const inTable = (epoch: string) =>
    harness.query(
      `SELECT row_to_json(h)::text AS line FROM tidemark.change_history h WHERE epoch = $1 ORDER BY h.lsn, h.seq`,
      [epoch],
    )

  /** Reads an epoch's archive as its manifest says, every part checked; answers its lines in order. */
  async function readArchive(epoch: string): Promise<string[]> {
    const found = await bucket.get(manifestKey(epoch))
    if (!found) return []
    const { parts } = archiveManifestSchema.parse(await found.json())
    const lines: string[] = []
    for (const part of parts) {
      const object = await bucket.get(part.key)
      const bytes = new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0))
      expect([await sha256Hex(bytes), bytes.byteLength]).toEqual([part.sha256, part.bytes])
      const own = gunzipSync(bytes).toString().trimEnd().split('\n')
      const ends = [own[0], own.at(-1)].map((line) => JSON.parse(line ?? ''))
      expect(ends.map(({ lsn, seq }) => ({ lsn, seq }))).toEqual([part.from, part.to])
      expect(own).toHaveLength(part.rows)
      lines.push(...own)
    }
    return lines
  }
  /** The objects that a reader who knows no manifest would take. */
  const linesOfAll = async (epoch: string) => {
    const { objects } = await bucket.list({ prefix: `tidemark-history/${epoch}/` })
    const parts = objects.filter(({ key }) => key.endsWith('.jsonl.gz')).map(({ key }) => key)
    const texts = await Promise.all(
      parts
        .toSorted()
        .map(async (key) => gunzipSync(Buffer.from((await (await bucket.get(key))?.arrayBuffer()) ?? []))),
    )
    return texts.flatMap((bytes) => bytes.toString().trimEnd().split('\n'))
  }

  test('RET-R1 RET-R2 is in the archive first: each row once, as JSON lines that its manifest names without a gap', async () => {
    const first = epochId()
    await harness.run(
      `INSERT INTO item SELECT g, 'a', E'line\\nand "quote" ' || g FROM generate_series(1, 5500) g;\nUPDATE item SET note = 'y' WHERE id = 1;\nDELETE FROM item WHERE id = 2`,
    )
    await harness.drain()
    const whole = (await inTable(first)).map(({ line }) => line)
    const archive = archiveTo()
    expect(await pruneHistory(harness.connection, FUTURE, archive)).toBe(false)
    expect(await readArchive(first)).toEqual(whole)
    expect(await linesOfAll(first)).toEqual(whole)
    await harness.run(`INSERT INTO item VALUES (20001, 'b', 'z')`)
    await harness.drain()
    // Another object that begins anew knows from the manifest what is there.
    expect(await pruneHistory(harness.connection, FUTURE, archiveTo())).toBe(false)
    const lines = (await readArchive(first)).map((line) => JSON.parse(line))
    expect(lines).toHaveLength(whole.length + 1)
    expect(lines.at(-1)).toMatchObject({ operation: 'insert', row_key: { id: '20001' }, data: { note: 'z' } })

    await harness.run(`INSERT INTO item VALUES (20002, 'b', 'z')`)
    await harness.drain()
    await harness.query('SELECT pg_drop_replication_slot($1)', [harness.settings.slotName])
    await harness.drain()
    while (await pruneHistory(harness.connection, FUTURE, archive));
    expect((await readArchive(first)).map((line) => JSON.parse(line).row_key?.id).at(-1)).toBe('20002')
    expect(await inTable(first)).toEqual([])
  })

  test('RET-R1 CAP-10 a row of every type lies there as the text that Postgres prints, whatever the session that archives is set to', async () => {
    const columns = [...EXACT, ...NUMBERS]
    const used = namesOf(columns)
    const sample = pgTable('sample', { id: integer('id').primaryKey(), ...columnsOf(columns) })
    const own = await startCapture(
      servers().embedded,
      'pgoutput',
      `${MOOD};\n--> statement-breakpoint\nCREATE TABLE sample (id int PRIMARY KEY, ${columns.join(', ')})`,
      defineSync({ tables: { sample: table(sample, { audience: 'all' }) } }),
    )
    try {
      for (const [id, values] of rowsOf(columns).entries())
        await own.query(`INSERT INTO sample VALUES (${id}, ${used.map((_, at) => `$${at + 1}`).join(', ')})`, values)
      const printed = await own.connection.query(`SELECT id::text, ${used.join(', ')} FROM public.sample ORDER BY id`)
      // The last row's values to all others, so that each is an old value once.
      await own.run(
        `UPDATE sample s SET (${used}) = (SELECT ${used} FROM sample WHERE id = 2) WHERE id <> 2;\nDELETE FROM sample`,
      )
      await own.drain()
      const archiver = await own.database.open()
      await archiver.query(
        `SET DateStyle = 'German, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET extra_float_digits = -5`,
      )
      await pruneHistory(archiver, FUTURE, archiveTo())
      await archiver.close()
      const lines = (await readArchive(own.capture.state?.epoch.id ?? '')).map((line) => JSON.parse(line))
      const ofOperation = (name: string) => lines.filter(({ operation }) => operation === name)
      expect(ofOperation('insert').map(({ data }) => data)).toEqual(printed)
      const changed = ofOperation('update').map(({ old_data, row_key }) => ({ ...row_key, ...old_data }))
      expect(changed).toEqual(printed.slice(0, 2))
      expect(
        ofOperation('delete')
          .map(({ row_key }) => row_key.id)
          .toSorted(),
      ).toEqual(['0', '1', '2'])
    } finally {
      await own.close()
    }
  })

  const LINES = 5_200
  test.each([
    ['the bucket refuses a part', (key: string) => key.endsWith('.gz'), null],
    ['the bucket refuses the manifest', (key: string) => key.endsWith('.json'), null],
    ['killed once it is archived', null, /DELETE FROM tidemark.change_history/],
  ])(
    'RET-R2 RET-R3 %s: nothing is pruned that is not archived, and nothing archived twice',
    async (_, refuses, dies) => {
      const epoch = epochId()
      await harness.run(`INSERT INTO item SELECT g, 'a', 'x' FROM generate_series(1, ${LINES}) g`)
      await harness.drain()
      const whole = (await inTable(epoch)).map(({ line }) => line)
      let isDown = refuses !== null
      const archive = archiveTo((key) => {
        if (isDown && refuses?.(key)) throw new Error('put: We encountered an internal error.')
      })
      const through = dies ? dyingAt(harness.connection, { when: 'before', statement: dies }) : harness.connection
      await expect(pruneHistory(through, FUTURE, archive)).rejects.toThrow(dies ? Killed : /does not take/)
      expect((await inTable(epoch)).map(({ line }) => line)).toEqual(whole)
      isDown = false
      // What came meanwhile cuts the batches otherwise.
      await harness.run(`INSERT INTO item VALUES (9000, 'a', 'later')`)
      await harness.drain()
      while (await pruneHistory(harness.connection, FUTURE, dies ? archiveTo() : archive));
      const lines = await readArchive(epoch)
      expect(lines.slice(0, whole.length)).toEqual(whole)
      expect(lines).toHaveLength(whole.length + 1)
      expect(await linesOfAll(epoch)).toEqual(lines)
    },
  )

  test('OPS-10 RET-R4 CAP-R28 while it is pruned capture goes on, and a fault of the archive is told by health', async () => {
    await harness.run(`INSERT INTO item SELECT g, 'a', 'x' FROM generate_series(1, 100) g`)
    await harness.drain()
    const holder = await harness.database.open()
    let isDown = true
    let nowMs = Date.now() + DAY_MS
    const upkeep = new Upkeep({
      env: {
        ...harness.database.env,
        ARCHIVE: {
          put: (key, bytes) => (isDown ? Promise.reject(new Error('down')) : bucket.put(key, bytes)),
          get: async (key) => await bucket.get(key),
        },
      },
      own: harness.settings,
      sync,
      retentionMs: 1,
      nowMs: () => nowMs,
      tally: new CaptureTally(Date.now),
    })
    upkeep.prune()
    await upkeep.pruning
    expect(upkeep.checks).toMatchObject([
      { name: 'retention', status: 'warn', value: expect.stringContaining('archive') },
    ])
    isDown = false
    nowMs += DAY_MS

    await holder.query('BEGIN')
    await holder.query('SELECT FROM tidemark.change_history FOR UPDATE')
    upkeep.prune()
    await until(async () => {
      const [row] = await harness.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ 'DELETE FROM tidemark.change_history'`,
      )
      return row !== undefined
    })
    const before = (await harness.history()).length
    await harness.run(`INSERT INTO item VALUES (1001, 'a', 'x')`)
    await harness.drain()
    expect((await harness.history()).length).toBe(before + 1)
    await holder.query('COMMIT')
    await holder.close()
    await upkeep.pruning
    expect(upkeep.checks).toMatchObject([{ name: 'retention', status: 'ok' }])
    expect((await harness.history()).filter(({ key }) => key?.id !== undefined)).toEqual([])
  })
})
