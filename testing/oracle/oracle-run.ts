import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sync } from '../../db/index.ts'
import { parsePgLsn, ZERO_LSN } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import type { System } from '../system/start-system.ts'
import { until } from '../system/until.ts'
import { Chronicle } from './chronicle.ts'
import { type EventOptions, lateStage, type OracleEvent } from './events.ts'
import type { FleetMember } from './fleet.ts'
import { performEvent, type Scene } from './perform-event.ts'
import type { OracleOptions, OracleReport } from './run-oracle.ts'
import { runWorkload } from './run-workload.ts'
import type { PlannedTransaction } from './workload.ts'

const CONNECTIONS = 3
/** This many times in a stage, the workload waits until a replica shows its changes. */
const LOOKS_PER_STAGE = 3
const SAMPLE_EVERY_MS = 20
const MOST_PAUSE_MS = 150
const SHOWN_CHARS = 200

export interface OracleRunParts {
  readonly system: System
  readonly sync: Sync
  readonly fleet: readonly FleetMember[]
  readonly options: OracleOptions
  readonly plan: readonly PlannedTransaction[]
  readonly events: readonly (readonly OracleEvent[])[]
  readonly eventOptions: EventOptions
}

/** One run from its first stage to its report. */
export class OracleRun {
  readonly #parts: OracleRunParts
  readonly #chronicle = new Chronicle()
  readonly #scene: Scene
  readonly #log: string[] = []
  readonly #startedAt = performance.now()
  readonly #beside: Promise<void>[] = []
  #committed = 0
  #looks = 0

  constructor(parts: OracleRunParts) {
    this.#parts = parts
    const { system, sync, fleet } = parts
    this.#scene = {
      system,
      sync,
      fleet,
      chronicle: this.#chronicle,
      withDatabase: (run) => this.#withDatabase(run),
      beside: (work) => this.#beside.push(work),
      note: (what) => this.#note(what),
    }
    for (const { options } of fleet) {
      this.#chronicle.grantFromStart(options.name, [...options.listed, ...options.orgs.map((id) => `org:${id}`)])
    }
  }

  async go(): Promise<OracleReport> {
    const { fleet, events } = this.#parts
    await this.#awaitEpoch()
    for (const [stage, planned] of events.entries()) await this.#runStage(stage, planned)
    this.#note('workload done')
    await Promise.all(this.#beside)
    await this.#bringTogether()
    const violations = await this.#examine()
    const report = {
      violations,
      transactionsCommitted: this.#committed,
      historyRows: this.#chronicle.epochs.reduce((sum, epoch) => sum + this.#chronicle.historyOf(epoch).length, 0),
      replicaSamples: fleet.reduce((sum, member) => sum + member.samples.length, 0),
      distinctStates: fleet.reduce((sum, { samples }) => sum + new Set(samples.map(({ cursor }) => cursor)).size, 0),
      postgresSamples: this.#chronicle.postgresSamples.length,
      epochs: this.#chronicle.epochs.length,
      definitions: this.#chronicle.changes.size + 1,
      rightsChanges: this.#chronicle.rights.filter(({ lsn }) => lsn > ZERO_LSN).length,
    }
    this.#note(JSON.stringify({ ...report, violations: violations.length }))
    return { ...report, protocolFile: this.writeProtocol(violations) }
  }

  /** Waits for an epoch while nothing is written, so that what is read here shows where its history begins. */
  async #awaitEpoch(): Promise<void> {
    await this.#withDatabase((database) => this.#chronicle.awaitEpoch(database))
    this.#note(`epoch ${this.#chronicle.epochs.at(-1)} began`)
  }

  async #runStage(stage: number, events: readonly OracleEvent[]): Promise<void> {
    const { fleet, plan, events: stages, eventOptions } = this.#parts
    const opening = fleet.filter((_, index) => lateStage(index, eventOptions) === stage)
    await Promise.all(opening.map((member) => member.open()))
    if (opening.length > 0) this.#note(`${opening.map(({ options }) => options.name).join(', ')} opened`)
    const share = Math.ceil(plan.length / stages.length)
    const losesSlot = events.some(({ kind }) => kind === 'dropSlot')
    const planned = plan
      .slice(stage * share, (stage + 1) * share)
      .map((transaction) => (losesSlot ? withoutTruncate(transaction) : transaction))
    let over = false
    const sampling = this.#sampleAlong(() => over)
    await Promise.all([this.#work(planned), this.#perform(events)])
    over = true
    await sampling
    if (losesSlot) await this.#awaitEpoch()
    this.#note(`stage ${stage} done`)
    // If the run never ends, this file is all that is left of it.
    this.writeProtocol(['unfinished'])
  }

  async #perform(events: readonly OracleEvent[]): Promise<void> {
    for (const event of events) {
      this.#note(JSON.stringify(event))
      await performEvent(event, this.#scene)
    }
  }

  /** Works no faster than replicas follow, or a slow machine would do all the work before anything is seen of it. */
  async #work(planned: readonly PlannedTransaction[]): Promise<void> {
    const part = Math.ceil(planned.length / LOOKS_PER_STAGE)
    for (let from = 0; from < planned.length; from += part) {
      const pauseMs = (index: number) => (index * 37) % MOST_PAUSE_MS
      const work = runWorkload(this.#parts.system.env, planned.slice(from, from + part), CONNECTIONS, pauseMs)
      await work.finished
      this.#committed += work.committed
      for (const line of work.log) this.#log.push(`  ${line}`)
      await this.#awaitLook()
    }
  }

  /** Commits a change that nearly everyone sees, and waits until a sample of one replica lies beyond it. */
  async #awaitLook(): Promise<void> {
    this.#looks += 1
    const before = await until(() => this.#withDatabase(markLook(this.#looks)).catch(() => null))
    await until(() => {
      for (const member of this.#parts.fleet) {
        if (member.isOpen && member.replica.status.phase === 'refused')
          throw new Error(`${member.options.name} was refused.`, { cause: member.replica.status.error })
      }
      return this.#parts.fleet.some(({ samples }) => (samples.at(-1)?.cursor ?? '') > before)
    })
  }

  /** Looks at every replica that has moved, again and again. */
  async #sampleAlong(isOver: () => boolean): Promise<void> {
    for (let turn = 0; !isOver(); turn++) {
      // This only sets the pace of the looks.
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS))
      for (const member of this.#parts.fleet.filter(({ hasMoved }) => hasMoved)) {
        await member.sample(`while running, turn ${turn}`).catch((error: unknown) => {
          // It may have been closed meanwhile.
          this.#note(`no sample: ${String(error)}`)
        })
      }
    }
  }

  /** Lifts every fault, and waits until each replica shows all that there is. */
  async #bringTogether(): Promise<void> {
    const { system, fleet } = this.#parts
    system.gate.delay(0)
    for (const member of fleet) {
      member.gate.flow()
      if (!member.isOpen) await member.open()
      member.replica.goOnline()
    }
    for (const member of fleet) {
      // An audience that was granted last may still be loading aside.
      const audiences = await this.#withDatabase((database) => member.rights(database))
      await until(() => member.replica.status.audiences.toSorted().join() === audiences.toSorted().join())
      await member.replica.settled()
      this.#note(`${member.options.name} settled`)
      await member.sample('at the end')
    }
  }

  async #examine(): Promise<string[]> {
    const { fleet } = this.#parts
    return await this.#withDatabase(async (database) => {
      const violations: string[] = []
      for (const member of fleet) violations.push(...(await member.differences(database)))
      const samples = fleet.flatMap((member) => member.samples)
      return [...violations, ...(await this.#chronicle.examine(database, samples))]
    })
  }

  async #withDatabase<Result>(run: (database: Database) => Promise<Result>): Promise<Result> {
    const database = await until(() => this.#parts.system.openDatabase().catch(() => null))
    try {
      return await run(database)
    } finally {
      await database.close()
    }
  }

  #note(what: string): void {
    this.#log.push(`${((performance.now() - this.#startedAt) / 1000).toFixed(2)} s ${what}`)
  }

  /** Writes all it takes to understand a failure: violations, events, plan and the Worker's log; answers the file. */
  writeProtocol(violations: readonly string[]): string {
    const { options, plan, system } = this.#parts
    const folder = join('.tidemark', 'oracle')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, `${options.decoder}-${options.seed}.log`)
    const parts = [
      `seed ${options.seed}, ${options.decoder}, ${options.transactions} transactions`,
      '== violations',
      ...violations,
      '== run',
      ...this.#log,
      '== plan',
      ...plan.map((planned) => JSON.stringify(planned, shortened)),
      '== worker log',
      ...system.workerLog,
    ]
    writeFileSync(file, `${parts.join('\n')}\n`)
    return file
  }
}

/** Commits the change to look for, and answers a place in the log below its commit. */
const markLook =
  (look: number) =>
  async ({ query }: Database) => {
    const [row] = await query('SELECT pg_current_wal_insert_lsn()::text AS lsn')
    await query(
      `INSERT INTO public.setting (key, value) VALUES ('look', to_jsonb($1::int))
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = setting.version + 1`,
      [look],
    )
    return parsePgLsn(row?.lsn ?? '')
  }

/** Leaves truncates out: old values undo everything else, and undoing is what finds the beginning of a new epoch. */
function withoutTruncate(planned: PlannedTransaction): PlannedTransaction {
  return { ...planned, statements: planned.statements.filter(({ text }) => !text.startsWith('TRUNCATE')) }
}

/** Cuts long values, which the seed can make again. */
function shortened(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > SHOWN_CHARS && !value.includes(' ')
    ? `${value.slice(0, 40)}…`
    : value
}
