import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../workers/database/index.ts'
import { seededRandom } from '../oracle/random.ts'
import type { Statement } from '../oracle/workload-statements.ts'
import { type HttpGate, startHttpGate } from '../system/http-gate.ts'
import { startSystem } from '../system/start-system.ts'
import { sync } from './app/sync.ts'
import { sync as syncWithVisits } from './app/sync-with-visits.ts'
import { ORGS, planWriting, seedWriting } from './plan-writing.ts'
import { Writer } from './writer.ts'
import { type WritingReport, WritingRun } from './writing-run.ts'

interface WritingOracleOptions {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly steps: number
  readonly faults: boolean
}

const WRITERS: readonly { readonly name: string; readonly user: string; readonly orgs: readonly number[] }[] = [
  { name: 'ann', user: 'ann', orgs: [0] },
  { name: 'bob', user: 'bob', orgs: [0, 1] },
  { name: 'cy', user: 'cy', orgs: [1, 0] },
  { name: 'ann-again', user: 'ann', orgs: [0] },
]

function memberships(): Statement[] {
  const text = 'INSERT INTO public.membership (user_id, org_id) VALUES ($1, $2) ON CONFLICT DO NOTHING'
  return WRITERS.flatMap(({ user, orgs }) => orgs.map((org) => ({ text, params: [user, ORGS[org] ?? ''] })))
}

/** Lets replicas write, offline and on, beside direct writes and faults, all planned by seed; reports violations. */
export async function runWritingOracle(options: WritingOracleOptions): Promise<WritingReport> {
  // wal2json reports nothing about partitioned tables.
  const visits = options.decoder === 'pgoutput'
  const random = seededRandom(options.seed)
  const events = planWriting(random.fork('plan'), {
    steps: options.steps,
    writers: WRITERS.map(({ orgs }) => orgs),
    faults: options.faults,
    visits,
  })
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-writing-'))
  const system = await startSystem({
    app: {
      sync: visits ? syncWithVisits : sync,
      syncModule: new URL(visits ? './app/sync-with-visits.ts' : './app/sync.ts', import.meta.url),
      audiencesModule: new URL('../oracle/app/audiences.ts', import.meta.url),
      migrations: new URL('./app/migrations/', import.meta.url),
    },
    // Older versions of wal2json lose the NaN that a numeric column may hold, and report that.
    postgres: options.decoder === 'wal2json' ? 'newer' : 'embedded',
    workerOptions: { decoder: options.decoder, ...(random.chance(0.5) ? {} : { limits: { logChars: 20_000 } }) },
    seed: async (env) => {
      const database = await openDatabase(env)
      for (const { text, params } of [...seedWriting(), ...memberships()]) await database.query(text, params)
      await database.close()
    },
  })
  const writers: Writer[] = []
  const gates: HttpGate[] = []
  for (const { name, user, orgs } of WRITERS) {
    const audiences = orgs.map((org) => `org:${ORGS[org]}`)
    const gate = await startHttpGate(system.gate.port)
    gates.push(gate)
    const token = await system.token({ userId: user, audiences: [] })
    const storage = join(folder, name)
    writers.push(new Writer({ name, user, orgs: audiences, storage, visits }, `http://127.0.0.1:${gate.port}`, token))
  }
  const chronicleFile = join(tmpdir(), `tidemark-writing-${options.seed}-${options.decoder}.txt`)
  const run = new WritingRun(system, writers, gates, chronicleFile, events)
  try {
    return await run.go()
  } finally {
    for (const writer of writers) await writer.kill()
    for (const gate of gates) await gate.dispose()
    await system.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}
