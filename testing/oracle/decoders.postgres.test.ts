import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DefinitionInForce } from '../../protocol/index.ts'
import { pgoutputSource } from '../../workers/replication/pgoutput-source.ts'
import { wal2jsonSource } from '../../workers/replication/wal2json-source.ts'
import { servers } from '../postgres/servers.ts'
import { useConnection, useTestDatabase } from '../postgres/use-test-database.ts'
import { sync } from './app/sync.ts'
import { captureInto } from './capture-into.ts'
import { examine } from './examine.ts'
import { type HistoryRow, lineDifference, type ModelState } from './history-model.ts'
import { seededRandom } from './random.ts'
import { runTransaction, runWorkload } from './run-workload.ts'
import { type PostgresSample, readState, samplePostgres } from './samples.ts'
import { planWorkload, seedStatements } from './workload.ts'

const SCHEMA = new URL('./app/migrations/0000_schema.sql', import.meta.url)
const SEED = process.env.ORACLE_SEED ?? 'decoders'
const TRANSACTIONS = Number(process.env.ORACLE_STEPS ?? 300)

const created = useTestDatabase(servers().system)
const database = useConnection(created)
let definition: DefinitionInForce
let base: ModelState
const samples: PostgresSample[] = []
const slots = { pgoutput: '', wal2json: '' }

beforeAll(async () => {
  definition = await created.install(readFileSync(SCHEMA, 'utf8'), sync)
  const random = seededRandom(SEED)
  for (const statement of seedStatements(random.fork('seed'))) {
    await runTransaction(database, { index: 0, statements: [statement], end: 'commit' })
  }
  for (const decoder of ['pgoutput', 'wal2json'] as const) {
    slots[decoder] = `${created.slotName}_${decoder}`
    await database.query('SELECT pg_create_logical_replication_slot($1, $2)', [slots[decoder], decoder])
  }
  base = await readState(database.query, definition.definition)
  const plan = planWorkload(random, { transactions: TRANSACTIONS, bulkRows: 2_000, numbers: false })
  const run = runWorkload(created.env, plan, 3)
  let finished = false
  const sampling = (async () => {
    while (!finished) {
      samples.push(await samplePostgres(database))
      // This only sets the pace of the looks; the loop ends with the workload.
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  })()
  await run.finished
  finished = true
  await sampling
  samples.push(await samplePostgres(database))
})

describe(`two decoders of one log, seed ${SEED}`, () => {
  const captured: Record<string, HistoryRow[]> = {}

  it.each([
    ['pgoutput', () => pgoutputSource(), 700],
    ['wal2json', () => wal2jsonSource({ numericAsString: false }), 900],
  ] as const)(
    'ORA-02 HIS-08 HIS-09 CAP-01 CAP-02 %s tells exactly what Postgres held in every snapshot',
    async (decoder, source, maxChanges) => {
      const history = await captureInto(database, definition, {
        epoch: `epoch-${decoder}`,
        slotName: slots[decoder],
        source: source(),
        maxChanges,
      })
      captured[decoder] = history
      expect(history.length).toBeGreaterThan(TRANSACTIONS)
      const faults = examine({
        start: { definition, base },
        changes: new Map(),
        history,
        replicaSamples: [],
        postgresSamples: samples,
      })
      expect(faults.slice(0, 10).join('\n')).toBe('')
    },
  )

  it('ORA-03 they agree on every change', () => {
    expect(captured.pgoutput?.length).toBeGreaterThan(TRANSACTIONS)
    const lines = (history: HistoryRow[] = []) => history.map((row) => JSON.stringify(row))
    expect(lineDifference(lines(captured.pgoutput), lines(captured.wal2json)).join('\n')).toBe('')
    expect(lines(captured.wal2json)).toEqual(lines(captured.pgoutput))
  })
})
