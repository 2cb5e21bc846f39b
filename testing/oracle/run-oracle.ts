import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../workers/database/index.ts'
import { startSystem } from '../system/start-system.ts'
import { sync } from './app/watched-sync.ts'
import { sync as syncWithNumbers } from './app/watched-sync-with-numbers.ts'
import { type EventOptions, planEvents } from './events.ts'
import { FleetMember, type MemberOptions } from './fleet.ts'
import { OracleRun } from './oracle-run.ts'
import { type Random, seededRandom } from './random.ts'
import { runTransaction } from './run-workload.ts'
import { planWorkload, seedStatements } from './workload.ts'
import { ORGS, type Statement, USERS } from './workload-statements.ts'

export interface OracleOptions {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly transactions: number
  readonly faults: boolean
}

export interface OracleReport {
  /** Everything that is wrong, in full sentences; empty when nothing is. */
  readonly violations: readonly string[]
  readonly transactionsCommitted: number
  readonly historyRows: number
  readonly replicaSamples: number
  /** Different states seen, over all replicas, while the workload ran. */
  readonly distinctStates: number
  readonly postgresSamples: number
  readonly epochs: number
  readonly definitions: number
  readonly rightsChanges: number
  /** The file in which the whole run is written down. */
  readonly protocolFile: string
}

const STAGES = 12
const BULK_ROWS = 2_500
const FIRST_LATE = 3

const org = (number: number) => ORGS[number] ?? ''
const user = (number: number) => `user:${USERS[number]}`

/** Answers members whose audiences overlap; the last two open late. */
function members(folder: string): MemberOptions[] {
  const file = (name: string) => join(folder, name)
  const [one, two, three, four] = [org(0), org(1), org(2), org(3)]
  return [
    { name: 'one-org', userId: 'ann', listed: ['all', user(0)], orgs: [one], storage: 'memory://' },
    { name: 'two-orgs', userId: 'bob', listed: ['all', user(1)], orgs: [one, two], storage: file('two-orgs') },
    {
      name: 'every-org',
      userId: 'cy',
      listed: ['all', user(2)],
      orgs: [one, two, three, four],
      storage: file('every-org'),
    },
    { name: 'late', userId: 'dan', listed: ['all', user(0)], orgs: [three, two], storage: 'memory://' },
    { name: 'later', userId: 'eve', listed: ['user:eve'], orgs: [four], storage: file('later') },
  ]
}

function membershipStatements(fleet: readonly MemberOptions[]): Statement[] {
  const text = 'INSERT INTO public.membership (user_id, org_id) VALUES ($1, $2)'
  return fleet.flatMap(({ userId, orgs }) => orgs.map((id) => ({ text, params: [userId, id] })))
}

/** Picks limits so tight that gaps, parts, full windows and fresh snapshots are the rule; some runs keep the usual. */
function strain(random: Random): Readonly<Record<string, unknown>> {
  if (random.chance(0.3)) return {}
  return {
    limits: {
      logChars: random.pick([20_000, 200_000]),
      frameChars: random.pick([4_000, 60_000]),
      windowChars: random.pick([8_000, 100_000]),
    },
    snapshots: { maxAgeMs: random.pick([1, 3_000]) },
    watch: random.pick([true, true, false]),
  }
}

/** Runs the whole system under a random workload and faults, all planned from the seed, and reports violations. */
export async function runOracle(options: OracleOptions): Promise<OracleReport> {
  const numbers = options.decoder === 'pgoutput'
  const random = seededRandom(options.seed)
  const plan = planWorkload(random.fork('workload'), {
    transactions: options.transactions,
    bulkRows: BULK_ROWS,
    numbers,
  })
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-oracle-'))
  const planned = members(folder)
  const app = {
    sync: numbers ? syncWithNumbers : sync,
    syncModule: new URL(numbers ? './app/watched-sync-with-numbers.ts' : './app/watched-sync.ts', import.meta.url),
    audiencesModule: new URL('./app/audiences.ts', import.meta.url),
    migrations: new URL('./app/migrations/', import.meta.url),
  }
  const system = await startSystem({
    app,
    postgres: options.decoder === 'wal2json' ? 'system' : 'embedded',
    workerOptions: { decoder: options.decoder, ...strain(random.fork('strain')) },
    seed: async (env) => {
      const database = await openDatabase(env)
      for (const statement of [...seedStatements(random.fork('seed')), ...membershipStatements(planned)]) {
        await runTransaction(database, { index: 0, statements: [statement], end: 'commit' })
      }
      await database.close()
    },
  })
  const fleet = await Promise.all(planned.map((member) => FleetMember.start(system, app.sync, member)))
  const eventOptions: EventOptions = {
    stages: STAGES,
    replicas: fleet.length,
    orgs: ORGS.length,
    firstLate: FIRST_LATE,
    faults: options.faults,
  }
  const events = planEvents(random.fork('events'), eventOptions)
  const run = new OracleRun({ system, sync: app.sync, fleet, options, plan, events, eventOptions })
  try {
    return await run.go()
  } catch (error) {
    const file = run.writeProtocol([String(error)])
    throw new Error(`The oracle run with seed ${options.seed} broke off; it is written down in ${file}.`, {
      cause: error,
    })
  } finally {
    for (const member of fleet) await member.dispose()
    await system.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}
