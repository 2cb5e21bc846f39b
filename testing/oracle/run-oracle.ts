import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readDefinitionInForce } from '../../db/index.ts'
import type { Definition } from '../../protocol/index.ts'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import { type System, startSystem, until } from '../system/start-system.ts'
import { sync } from './app/sync.ts'
import { sync as syncWithNumbers } from './app/sync-with-numbers.ts'
import { type EventOptions, lateStage, type OracleEvent, planEvents } from './events.ts'
import { FleetMember, type MemberOptions } from './fleet.ts'
import type { ModelState } from './history-model.ts'
import { type Random, seededRandom } from './random.ts'
import { runTransaction, runWorkload } from './run-workload.ts'
import { examine, type PostgresSample, readHistory, readState, samplePostgres } from './samples.ts'
import { ORGS, type PlannedTransaction, planWorkload, seedStatements, USERS } from './workload.ts'

export interface OracleOptions {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly transactions: number
  readonly faults: boolean
}

export interface OracleReport {
  /** What is wrong, in full sentences; empty when nothing is. */
  readonly violations: readonly string[]
  readonly transactionsCommitted: number
  readonly historyRows: number
  readonly replicaSamples: number
  /** Different states seen, over all replicas, while the workload ran. */
  readonly distinctStates: number
  readonly postgresSamples: number
  /** Where the whole run is written down. */
  readonly protocolFile: string
}

const STAGES = 12
const CONNECTIONS = 3
const BULK_ROWS = 2_500
const SAMPLE_EVERY_MS = 20
const MOST_PAUSE_MS = 250
const SHOWN_CHARS = 200

const org = (number: number) => `org:${ORGS[number]}`
const user = (number: number) => `user:${USERS[number]}`

/** Audience sets that overlap; the last two open late. */
function members(folder: string): MemberOptions[] {
  return [
    { name: 'one-org', userId: 'ann', audiences: ['all', org(0), user(0)], storage: 'memory://' },
    { name: 'two-orgs', userId: 'bob', audiences: ['all', org(0), org(1), user(1)], storage: join(folder, 'two-orgs') },
    {
      name: 'every-org',
      userId: 'cy',
      audiences: ['all', org(0), org(1), org(2), org(3), user(2)],
      storage: join(folder, 'every-org'),
    },
    { name: 'late', userId: 'ann', audiences: ['all', org(2), org(1), user(0)], storage: 'memory://' },
    { name: 'later', userId: 'dan', audiences: [org(3)], storage: join(folder, 'later') },
  ]
}

/** Limits so tight that gaps, parts, full windows and fresh snapshots are the rule; some runs have the usual ones. */
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

/** Runs the whole system under a random workload and faults, all planned from the seed, and says what was not as it must be. */
export async function runOracle(options: OracleOptions): Promise<OracleReport> {
  const numbers = options.decoder === 'pgoutput'
  const random = seededRandom(options.seed)
  const plan = planWorkload(random.fork('workload'), {
    transactions: options.transactions,
    bulkRows: BULK_ROWS,
    numbers,
  })
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-oracle-'))
  const app = {
    sync: numbers ? syncWithNumbers : sync,
    syncModule: new URL(numbers ? './app/sync-with-numbers.ts' : './app/sync.ts', import.meta.url),
    migrations: new URL('./app/migrations/', import.meta.url),
  }
  const system = await startSystem({
    app,
    postgres: options.decoder === 'wal2json' ? 'system' : 'embedded',
    workerOptions: { decoder: options.decoder, ...strain(random.fork('strain')) },
    seed: async (env) => {
      const database = await openDatabase(env)
      for (const statement of seedStatements(random.fork('seed'))) {
        await runTransaction(database, { index: 0, statements: [statement], end: 'commit' })
      }
      await database.close()
    },
  })
  const fleet = members(folder).map((member) => new FleetMember(system, app.sync, member))
  const eventOptions: EventOptions = { stages: STAGES, replicas: fleet.length, firstLate: 3, faults: options.faults }
  const run = new OracleRun(system, fleet, options, plan, planEvents(random.fork('events'), eventOptions), eventOptions)
  try {
    return await run.go()
  } catch (error) {
    const file = run.writeProtocol([String(error)])
    throw new Error(`The oracle run with seed ${options.seed} broke off; it is written down in ${file}.`, {
      cause: error,
    })
  } finally {
    for (const member of fleet) await member.close()
    await system.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}

class OracleRun {
  readonly #system: System
  readonly #fleet: readonly FleetMember[]
  readonly #options: OracleOptions
  readonly #plan: readonly PlannedTransaction[]
  readonly #events: readonly (readonly OracleEvent[])[]
  readonly #eventOptions: EventOptions
  readonly #log: string[] = []
  readonly #postgresSamples: PostgresSample[] = []
  readonly #startedAt = performance.now()
  readonly #evictions: Promise<void>[] = []
  #committed = 0

  constructor(
    system: System,
    fleet: readonly FleetMember[],
    options: OracleOptions,
    plan: readonly PlannedTransaction[],
    events: readonly (readonly OracleEvent[])[],
    eventOptions: EventOptions,
  ) {
    this.#system = system
    this.#fleet = fleet
    this.#options = options
    this.#plan = plan
    this.#events = events
    this.#eventOptions = eventOptions
  }

  async go(): Promise<OracleReport> {
    const { definition, base, epoch } = await this.#begin()
    for (const [stage, events] of this.#events.entries()) await this.#runStage(stage, events, definition)
    this.#note('workload done')
    await Promise.all(this.#evictions)
    await this.#settle(definition)
    const violations = await this.#examine(definition, base, epoch)
    const history = await this.#withDatabase((database) => readHistory(database, epoch))
    const report = {
      violations,
      transactionsCommitted: this.#committed,
      historyRows: history.length,
      replicaSamples: this.#fleet.reduce((sum, member) => sum + member.samples.length, 0),
      distinctStates: this.#fleet.reduce(
        (sum, { samples }) => sum + new Set(samples.map(({ cursor }) => cursor)).size,
        0,
      ),
      postgresSamples: this.#postgresSamples.length,
    }
    this.#note(JSON.stringify({ ...report, violations: violations.length }))
    return { ...report, protocolFile: this.writeProtocol(violations) }
  }

  /** Nothing is written between the seed and the epoch's start, so that the state read here is where history begins. */
  async #begin(): Promise<{ definition: Definition; base: ModelState; epoch: string }> {
    return await this.#withDatabase(async (database) => {
      const epoch = await until(async () => {
        const [row] = await database.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL')
        return row?.id
      })
      const inForce = await readDefinitionInForce(database.query)
      if (!inForce) throw new Error('No definition is in force.')
      this.#note(`epoch ${epoch} began`)
      return { definition: inForce.definition, base: await readState(database, inForce.definition), epoch }
    })
  }

  async #runStage(stage: number, events: readonly OracleEvent[], definition: Definition): Promise<void> {
    const opening = this.#fleet.filter((_, index) => lateStage(index, this.#eventOptions) === stage)
    await Promise.all(opening.map((member) => member.open()))
    if (opening.length > 0) this.#note(`${opening.map(({ options }) => options.name).join(', ')} opened`)
    const share = Math.ceil(this.#plan.length / this.#events.length)
    const work = runWorkload(
      this.#system.env,
      this.#plan.slice(stage * share, (stage + 1) * share),
      CONNECTIONS,
      (index) => (index * 37) % MOST_PAUSE_MS,
    )
    let over = false
    const sampling = this.#sampleAlong(definition, () => over)
    for (const event of events) await this.#perform(event, definition)
    await work.finished
    over = true
    await sampling
    this.#committed += work.committed
    for (const line of work.log) this.#log.push(`  ${line}`)
    this.#note(`stage ${stage} done`)
  }

  /** Looks at each replica whenever it has moved, one after another. */
  async #sampleAlong(definition: Definition, isOver: () => boolean): Promise<void> {
    for (let turn = 0; !isOver(); turn++) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS))
      const member = this.#fleet[turn % this.#fleet.length]
      if (!member?.hasMoved) continue
      await member.sample(definition, `while running, turn ${turn}`).catch((error: unknown) => {
        // It may have been closed meanwhile.
        this.#note(`no sample: ${String(error)}`)
      })
    }
  }

  async #perform(event: OracleEvent, definition: Definition): Promise<void> {
    const system = this.#system
    this.#note(JSON.stringify(event))
    const member = 'replica' in event ? this.#fleet[event.replica] : undefined
    switch (event.kind) {
      case 'offline':
        return void (await member?.replica.goOffline())
      case 'online':
        return void (await member?.replica.goOnline())
      case 'reopen':
        await member?.close()
        return await member?.open()
      case 'sample':
        return await member?.sample(definition, 'by plan')
      case 'samplePostgres':
        return void this.#postgresSamples.push(
          await this.#withDatabase((database) => samplePostgres(database, definition)),
        )
      case 'killWorkerd':
        return await system.killWorkerd()
      case 'killPostgres':
        await system.killPostgres()
        return await system.restartPostgres()
      case 'dropSockets':
        return system.dropSockets()
      case 'evict':
        // It waits until the object is idle, which under load it may not become; the run goes on meanwhile.
        this.#evictions.push(
          system.worker.evict('SyncDO', org(0)).catch((error: unknown) => this.#note(`not evicted: ${String(error)}`)),
        )
        return
      case 'holdCommits':
        await system.holdCommits()
        await member?.close()
        await member?.open()
        await new Promise((resolve) => setTimeout(resolve, event.holdMs))
        return await system.releaseCommits()
      case 'delayNetwork':
        return system.gate.delay(event.delayMs)
      case 'wait':
        return await new Promise((resolve) => setTimeout(resolve, event.waitMs))
    }
  }

  async #settle(definition: Definition): Promise<void> {
    this.#system.gate.delay(0)
    for (const member of this.#fleet) {
      if (!member.isOpen) await member.open()
      await member.replica.goOnline()
    }
    for (const member of this.#fleet) {
      await member.replica.settled()
      this.#note(`${member.options.name} settled`)
      await member.sample(definition, 'at the end')
    }
  }

  async #examine(definition: Definition, base: ModelState, epoch: string): Promise<string[]> {
    return await this.#withDatabase(async (database) => {
      const violations: string[] = []
      for (const member of this.#fleet) violations.push(...(await member.differences(database, definition)))
      const replicaSamples = this.#fleet.flatMap((member) => member.samples)
      for (const sample of replicaSamples) {
        if (sample.epoch !== epoch)
          violations.push(`${sample.replica} is in epoch ${sample.epoch}, the run in ${epoch}`)
      }
      const history = await readHistory(database, epoch)
      const [row] = await database.query('SELECT count(*)::text AS epochs FROM tidemark.epoch')
      if (row?.epochs !== '1') violations.push(`there were ${row?.epochs} epochs where nothing broke the history`)
      violations.push(...examine({ definition, base, history, replicaSamples, postgresSamples: this.#postgresSamples }))
      return violations
    })
  }

  async #withDatabase<Result>(run: (database: Database) => Promise<Result>): Promise<Result> {
    const database = await until(() => this.#system.openDatabase().catch(() => null))
    try {
      return await run(database)
    } finally {
      await database.close()
    }
  }

  #note(what: string): void {
    this.#log.push(`${((performance.now() - this.#startedAt) / 1000).toFixed(2)} s ${what}`)
  }

  /** Everything it takes to understand a failure: plan, what happened, what is wrong, what the Worker logged. */
  writeProtocol(violations: readonly string[]): string {
    const folder = join('.tidemark', 'oracle')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, `${this.#options.decoder}-${this.#options.seed}.log`)
    const parts = [
      `seed ${this.#options.seed}, ${this.#options.decoder}, ${this.#options.transactions} transactions`,
      '== violations',
      ...violations,
      '== run',
      ...this.#log,
      '== plan',
      ...this.#plan.map((planned) => JSON.stringify(planned, shortened)),
      '== worker log',
      ...this.#system.workerLog,
    ]
    writeFileSync(file, `${parts.join('\n')}\n`)
    return file
  }
}

/** Long values are the seed's to make again. */
function shortened(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > SHOWN_CHARS && !value.includes(' ')
    ? `${value.slice(0, 40)}…`
    : value
}
