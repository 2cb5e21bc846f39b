import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DefinitionInForce } from '../../protocol/index.ts'
import { pgoutputSource } from '../../workers/replication/pgoutput-source.ts'
import { wal2jsonSource } from '../../workers/replication/wal2json-source.ts'
import { type CaptureCase, captureCases, serverNamed } from '../capture/capture-cases.ts'
import { useConnection, useTestDatabase } from '../postgres/use-test-database.ts'
import { captureInto } from './capture-into.ts'
import { CORPUS } from './corpus.ts'
import { corpusSync } from './corpus-sync.ts'
import { examine } from './examine.ts'
import type { HistoryRow, ModelState } from './history-model.ts'
import { type PostgresSample, readState, samplePostgres } from './samples.ts'

const SCHEMA = readFileSync(new URL('./corpus-schema.sql', import.meta.url), 'utf8')

/** Both decoders read each server's log, so only servers with wal2json are taken. */
describe.each(captureCases.filter(({ decoder }) => decoder === 'wal2json'))(
  'the corpus on the $server server',
  ({ server, numbers }: CaptureCase) => {
    const created = useTestDatabase(serverNamed(server))
    const database = useConnection(created)
    let definition: DefinitionInForce
    let base: ModelState
    const samples: PostgresSample[] = []
    const captured: Record<string, HistoryRow[]> = {}

    beforeAll(async () => {
      definition = await created.install(SCHEMA, corpusSync(numbers))
      await database.query('SET search_path = public')
      for (const decoder of ['pgoutput', 'wal2json'])
        await database.query('SELECT pg_create_logical_replication_slot($1, $2)', [
          `${created.slotName}_${decoder}`,
          decoder,
        ])
      base = await readState(database.query, definition.definition)
      for (const [name, statements] of Object.entries(CORPUS)) {
        for (const statement of statements) {
          await database.query(statement).catch((cause: unknown) => {
            throw new Error(`${name}: ${statement}`, { cause })
          })
        }
        samples.push(await samplePostgres(database))
      }
    })

    it.each([
      ['pgoutput', () => pgoutputSource()],
      ['wal2json', () => wal2jsonSource({ numericAsString: numbers })],
    ] as const)(
      'ORA-03 CAP-04 CAP-10 CAP-14 CAP-22 %s tells what Postgres held after each part',
      async (decoder, source) => {
        const slotName = `${created.slotName}_${decoder}`
        const history = await captureInto(database, definition, {
          epoch: decoder,
          slotName,
          source: source(),
          maxChanges: 90,
        })
        captured[decoder] = history
        const start = { definition, base }
        const faults = examine({ start, changes: new Map(), history, replicaSamples: [], postgresSamples: samples })
        expect(faults.join('\n')).toBe('')
      },
    )

    it('ORA-03 the decoders agree on every change', () => {
      expect(captured.pgoutput?.length).toBeGreaterThan(200)
      expect(captured.wal2json).toEqual(captured.pgoutput)
    })
  },
)
