import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import type { PredictedChange, Rejection } from '../../protocol/index.ts'
import { useCapture } from '../../testing/capture/capture-harness.ts'
import { recordMutation } from '../../testing/capture/record-mutation.ts'
import { transactionsOf } from '../../testing/encoded-transactions.ts'
import { servers } from '../../testing/postgres/servers.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY, org text, note text, secret text)'
const CLIENT = 'client-of-the-tests'

type Kept = Record<'seq' | 'operation' | 'audience' | 'client' | 'mutation' | 'metadata' | 'data', string | null>

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
  { decoder: 'pgoutput', server: 'system' },
] as const)('$decoder on $server', ({ decoder, server }) => {
  const harness = useCapture(servers()[server], decoder, SCHEMA, sync)
  let counter = 0

  const kept = () =>
    harness.query(
      `SELECT seq::text, operation, audience, client_id AS client, mutation_id AS mutation, metadata::text, data::text
       FROM tidemark.change_history ORDER BY change_history.lsn, change_history.seq`,
    ) as Promise<Kept[]>

  /** Runs the statements; answers the rows that they leave in history and the news for subscribers. */
  async function captured(sql: string) {
    const before = (await kept()).length
    const batches = harness.batches.length
    await harness.run(sql)
    await harness.drain()
    const told = harness.batches.slice(batches)
    return {
      rows: (await kept()).slice(before),
      audiences: told.flatMap(({ audiences }) => [...audiences]),
      transactions: transactionsOf(told),
    }
  }
  /** Makes the statements by which a pushed mutation is committed. */
  const pushed = (writes: string, rest: Partial<Parameters<typeof recordMutation>[0]> = {}) => {
    counter += 1
    return `BEGIN;\n${recordMutation({ client: CLIENT, counter, ...rest })};\n${writes};\nCOMMIT`
  }

  test('CAP-21 CAP-R31 every row of a mutation says whose it is; the next transaction on the row does not', async () => {
    const predicted: PredictedChange[] = [
      { o: 'i', t: 'public.item', a: 'org:a', k: { id: '1' }, d: { id: '1', org: 'a', note: 'mine' } },
    ]
    const own = await captured(
      pushed(
        `INSERT INTO item VALUES (1, 'a', 'mine', 'hidden');\nUPDATE item SET org = 'b' WHERE id = 1;\nUPDATE tidemark.mutation SET effects = '{}' WHERE counter = ${counter + 1}`,
        { predicted },
      ),
    )
    const mutation = `${CLIENT}:${counter}`
    expect(own.rows.map((row) => [row.seq, row.operation, row.audience])).toEqual([
      ['0', 'mutation', `client:${CLIENT}`],
      ['1', 'insert', 'org:a'],
      ['2', 'delete', 'org:a'],
      ['3', 'insert', 'org:b'],
    ])
    expect(own.rows.every((row) => row.client === CLIENT && row.mutation === mutation)).toBe(true)
    expect(JSON.parse(own.rows[0]?.data ?? '')).toEqual({ counter, rejection: null, predicted })
    expect(JSON.stringify(own.rows)).not.toContain('hidden')
    expect(own.transactions).toMatchObject([
      { mutation: { client: CLIENT, counter, rejection: null, predicted }, changes: [{}, {}, {}] },
    ])
    const psql = await captured(`UPDATE item SET note = 'psql' WHERE id = 1`)
    expect(psql.rows).toMatchObject([{ seq: '0', operation: 'update', client: null, mutation: null }])
    expect(psql.transactions[0]?.mutation).toBeUndefined()
    const [found] = await harness.query(
      `SELECT count(*)::text AS rows FROM tidemark.change_history WHERE client_id = $1 AND mutation_id = $2`,
      [CLIENT, mutation],
    )
    expect(found?.rows).toBe('4')
  })

  test('DIS-13 CAP-R31 one without effect, and the record of a rejection, are told to their client alone', async () => {
    const nothing = await captured(pushed('UPDATE item SET note = note WHERE id = -1'))
    expect(nothing.rows).toMatchObject([{ seq: '0', operation: 'mutation', mutation: `${CLIENT}:${counter}` }])
    expect(nothing.audiences).toEqual([`client:${CLIENT}`])
    expect(nothing.transactions).toMatchObject([{ changes: [], mutation: { counter, predicted: null } }])
    const rejection = { kind: 'refused', message: 'no', code: 'x', data: { deep: ['\n', null] } } satisfies Rejection
    counter += 1
    const refused = await captured(recordMutation({ client: CLIENT, counter, rejection }))
    expect(refused.transactions).toMatchObject([{ changes: [], mutation: { counter, rejection, predicted: null } }])
    expect(refused.audiences).toEqual([`client:${CLIENT}`])
  })

  test('CAP-19 CAP-R31 outcomes that are pruned or altered are no change', async () => {
    const state = harness.capture.state?.epoch.headLsn
    const pruned = await captured(
      `UPDATE tidemark.mutation SET effects = '{"a": 1}', predicted = '[]';\nDELETE FROM tidemark.mutation;\nTRUNCATE tidemark.mutation`,
    )
    expect(pruned).toEqual({ rows: [], audiences: [], transactions: [] })
    expect(harness.capture.state?.epoch.headLsn).toBe(state)
  })

  test('CAP-R31 mutations that come after other rows, as from a restored dump, are none', async () => {
    const again = (index: number) => recordMutation({ client: `restored-client-${index}`, counter: 1 })
    const { rows } = await captured(
      `BEGIN;\nINSERT INTO item VALUES (50, 'a', 'x');\n${again(1)};\n${again(2)};\nCOMMIT`,
    )
    expect(rows).toMatchObject([{ operation: 'insert', client: null, mutation: null }])
  })

  test('CAP-22 CAP-R32 what a transaction says of itself stands in all its rows, wherever it says it', async () => {
    const metadataOf = async (sql: string) =>
      (await captured(sql)).rows.map(({ metadata }) => JSON.parse(metadata ?? 'null'))
    const rows = `INSERT INTO item VALUES (10, 'a', 'x');\nDELETE FROM item WHERE id = 10`
    const say = (json: string) => `SELECT tidemark.annotate('${json}')`
    expect(await metadataOf(`BEGIN;\n${say('{"by": "cron"}')};\n${rows};\nCOMMIT`)).toEqual([
      { by: 'cron' },
      { by: 'cron' },
    ])
    expect(
      await metadataOf(
        `BEGIN;\n${rows};\n${say('{"by": "x"}')};\n${say('{}')};\n${say('{"by": "y", "n": 1}')};\nCOMMIT`,
      ),
    ).toEqual(Array(2).fill({ by: 'y', n: 1 }))
    expect(await metadataOf(rows.split(';\n')[0] ?? '')).toEqual([null])
    expect(await metadataOf(pushed(say('{"why": "undo"}')))).toEqual([{ why: 'undo' }])
    expect((await captured(`BEGIN;\n${say('{"alone": true}')};\nCOMMIT`)).rows).toEqual([])
    const exact = '{"large": 123456789012345678901234567890.10}'
    const [{ metadata } = {}] = (
      await captured(`BEGIN;\n${say(exact)};\nUPDATE item SET note = 'z' WHERE id = 10;\nCOMMIT`)
    ).rows
    expect(metadata).toBe(exact)
  })

  test('CAP-22 CAP-R32 messages of others, and those that are none, say nothing and stop nothing', async () => {
    const emit = (transactional: boolean, prefix: string, content: string) =>
      `SELECT pg_logical_emit_message(${transactional}, '${prefix}', '${content}')`
    const deep = `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`
    const bad = ['', '{', '[]', '"x"', '1', 'null', '{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": 1e999999}', deep]
    const messages = [
      ...bad.map((content) => emit(true, 'tidemark.annotate', content)),
      emit(true, 'tidemark.annotate', `{"long": "${'x'.repeat(70_000)}"}`),
      emit(false, 'tidemark.annotate', '{"outside": true}'),
      emit(true, 'tidemark.annotated', '{"other": true}'),
      emit(true, 'tidemark', '{"head": true}'),
      `SELECT pg_logical_emit_message(true, 'tidemark.annotate', '\\xff00'::bytea)`,
    ]
    const { rows } = await captured(
      `BEGIN;\nUPDATE item SET note = 'm' WHERE id = 10;\n${messages.join(';\n')};\nCOMMIT`,
    )
    expect(rows).toMatchObject([{ operation: 'update', metadata: null }])
    const rolledBack = `BEGIN;\nSAVEPOINT s;\nSELECT tidemark.annotate('{"a": 1}');\nROLLBACK TO s;\nUPDATE item SET note = 'r' WHERE id = 10;\nCOMMIT`
    expect((await captured(rolledBack)).rows).toMatchObject([{ metadata: null }])
  })

  test('CAP-22 CAP-R32 CAP-R24 it reaches rows that were stored before it came', async () => {
    await harness.run(
      pushed(
        `INSERT INTO item SELECT n, 'many', 'x' FROM generate_series(1000, 13000) AS n;\nSELECT tidemark.annotate('{"bulk": 1}')`,
      ),
    )
    await harness.run(`INSERT INTO item VALUES (20000, 'many', 'after')`)
    await harness.drain()
    const counts = await harness.query(
      `SELECT metadata::text, count(*)::text AS rows, count(DISTINCT mutation_id)::text AS mutations FROM tidemark.change_history
       WHERE audience = 'org:many' OR mutation_id = $1 GROUP BY 1 ORDER BY 1`,
      [`${CLIENT}:${counter}`],
    )
    expect(counts).toEqual([
      { metadata: '{"bulk": 1}', rows: '12002', mutations: '1' },
      { metadata: null, rows: '1', mutations: '0' },
    ])
  })
})
