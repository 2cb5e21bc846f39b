import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyMigrations } from '../../cli/migrations/apply-migrations.ts'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import { type Random, seededRandom } from '../oracle/random.ts'
import { type HttpGate, startHttpGate } from '../system/http-gate.ts'
import { type System, startSystem } from '../system/start-system.ts'
import { until } from '../system/until.ts'
import { accountMutations } from './account-mutations.ts'
import { sync } from './app/sync.ts'
import { type AppSchema, FIRST_SCHEMA, syncOf } from './app-schema.ts'
import { compareCatalogues } from './compare-catalogues.ts'
import { compareRows, findUnretyped } from './compare-rows.ts'
import { type PlannedMigration, planMigration } from './plan-migration.ts'
import { SchemaWriter } from './schema-writer.ts'
import { writeRows } from './write-rows.ts'

export interface SchemaOracleOptions {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly steps: number
}

export interface SchemaReport {
  /** Everything that is wrong, in full sentences; empty when nothing is. */
  readonly violations: readonly string[]
  readonly migrations: readonly string[]
  /** Versions that followed alterations by others, and those of them in which the log let replicas keep their rows. */
  readonly byOthers: number
  readonly replayed: number
  readonly made: number
  readonly confirmed: number
  readonly failed: number
  /** Comparisons of a replica with Postgres in the midst of it all. */
  readonly compared: number
  readonly chronicleFile: string
}

const WRITERS = [
  { name: 'ann', orgs: ['a'] },
  { name: 'bob', orgs: ['a', 'b'] },
  { name: 'cy', orgs: ['b'] },
]

/**
 * Moves an app's schema while replicas write, go offline and are closed, all planned by seed; reports violations. The file is
 * long because every kind of event is performed on one state.
 */
export async function runSchemaOracle(options: SchemaOracleOptions): Promise<SchemaReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-schema-'))
  const migrations = join(folder, 'migrations')
  mkdirSync(migrations)
  await cp(fileURLToPath(new URL('./app/migrations/', import.meta.url)), migrations, { recursive: true })
  const system = await startSystem({
    app: {
      sync,
      syncModule: new URL('./app/sync.ts', import.meta.url),
      migrations: new URL('./app/migrations/', import.meta.url),
    },
    postgres: options.decoder === 'wal2json' ? 'newer' : 'embedded',
    workerOptions: { decoder: options.decoder },
  })
  const random = seededRandom(options.seed)
  const gates: HttpGate[] = []
  const writers: SchemaWriter[] = []
  for (const { name, orgs } of WRITERS) {
    const gate = await startHttpGate(system.gate.port)
    gates.push(gate)
    const token = () => system.token({ userId: name, audiences: orgs.map((org) => `org:${org}`) })
    const url = `http://127.0.0.1:${gate.port}`
    writers.push(new SchemaWriter({ name, orgs, url, token, storage: join(folder, name) }, random.fork(name)))
  }
  const run = new SchemaRun(system, writers, gates, migrations, options, random.fork('plan'))
  try {
    return await run.go()
  } finally {
    for (const writer of writers) await writer.close()
    for (const gate of gates) await gate.dispose()
    await system.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Counts the versions of which capture asked the log whether replicas may keep the rows of tables that others altered. */
async function countReplayed({ query }: Database): Promise<{ byOthers: number; replayed: number }> {
  const [row] = await query(
    `SELECT count(DISTINCT s.version)::text AS others,
       count(DISTINCT s.version) FILTER (WHERE d.definition #>> '{replayed,tables,0}' IS NOT NULL)::text AS replayed
     FROM tidemark.table_shape s JOIN tidemark.sync_definition d USING (version) WHERE s.unplaced`,
  )
  return { byOthers: Number(row?.others), replayed: Number(row?.replayed) }
}

class SchemaRun {
  readonly #system: System
  readonly #writers: readonly SchemaWriter[]
  readonly #gates: readonly HttpGate[]
  readonly #folder: string
  readonly #steps: number
  readonly #random: Random
  readonly #partitions: boolean
  readonly #violations: string[] = []
  readonly #migrations: string[] = []
  readonly #chronicleFile: string
  #schema: AppSchema = FIRST_SCHEMA
  #compared = 0
  /** The last migration, where it can be taken back. */
  #last: { readonly planned: PlannedMigration; readonly before: AppSchema } | null = null

  constructor(
    system: System,
    writers: readonly SchemaWriter[],
    gates: readonly HttpGate[],
    folder: string,
    { seed, decoder, steps }: SchemaOracleOptions,
    random: Random,
  ) {
    this.#system = system
    this.#writers = writers
    this.#gates = gates
    this.#folder = folder
    this.#steps = steps
    this.#random = random
    this.#partitions = decoder === 'pgoutput'
    this.#chronicleFile = join(tmpdir(), `tidemark-schema-${seed}-${decoder}.txt`)
    writeFileSync(this.#chronicleFile, '')
  }

  #note(text: string): void {
    appendFileSync(this.#chronicleFile, `${new Date().toISOString()} ${text}\n`)
  }

  async go(): Promise<SchemaReport> {
    await this.#withDatabase((database) => writeRows(database, this.#schema, this.#random, 40))
    for (const writer of this.#writers) await writer.open()
    for (const writer of this.#writers) await writer.replica.ready
    for (let step = 0; step < this.#steps; step++) await this.#step(step)
    await this.#comeTogether()
    await this.#compare()
    const { violations, ...ended } = await accountMutations(this.#writers, (text) => this.#note(text))
    this.#violations.push(...violations)
    for (const violation of this.#violations) this.#note(violation)
    const others = await this.#withDatabase(countReplayed)
    this.#note(`by others: ${JSON.stringify(others)}`)
    return {
      violations: this.#violations,
      migrations: this.#migrations,
      ...others,
      chronicleFile: this.#chronicleFile,
      compared: this.#compared,
      ...ended,
    }
  }

  async #step(number: number): Promise<void> {
    const random = this.#random
    const writer = random.pick(this.#writers)
    const kind = random.weighted({
      write: 10,
      direct: 5,
      migrate: 4,
      migrateTwice: 1,
      alterByOthers: 3,
      revert: 1,
      offline: 2,
      online: 3,
      reopen: 1,
      cut: 1,
      killWorkerd: 0.5,
      vacuum: 0.5,
      together: 1,
      compareOne: 3,
    })
    this.#note(`${number} ${kind} ${writer.options.name}`)
    switch (kind) {
      case 'write':
        return void (await writer.write())
      case 'direct':
        return this.#withDatabase((database) => writeRows(database, this.#schema, this.#random, 3))
      case 'migrate':
        return this.#migrate([planMigration(random, this.#schema, number, this.#partitions)])
      case 'migrateTwice': {
        const first = planMigration(random, this.#schema, number, this.#partitions)
        return this.#migrate([first, planMigration(random, first.schema, number + 1_000, this.#partitions)])
      }
      case 'alterByOthers':
        return this.#alterByOthers(planMigration(random, this.#schema, number, this.#partitions))
      case 'compareOne':
        return this.#compareOne(writer)
      case 'revert':
        return this.#revert()
      case 'offline':
        return writer.replica.goOffline()
      case 'online':
        return writer.replica.goOnline()
      case 'reopen':
        await writer.close()
        return writer.open()
      case 'cut':
        return this.#gates[this.#writers.indexOf(writer)]?.cut()
      case 'killWorkerd':
        return this.#system.killWorkerd()
      case 'vacuum':
        return this.#withDatabase(async (database) => {
          const { name } = random.pick(this.#schema.tables)
          await database.query(`VACUUM FULL public.${name}`)
        })
      case 'together':
        return this.#comeTogether()
    }
  }

  /** Adds files to the app's migrations, and runs them as `tidemark migrate` does. */
  async #migrate(planned: readonly PlannedMigration[]): Promise<void> {
    const before = this.#schema
    for (const one of planned) {
      this.#note(`${one.kind}: ${one.statements.join('; ')}`)
      this.#migrations.push(one.kind)
      this.#schema = one.schema
      if (one.statements.length === 0) continue
      const name = `${String(this.#migrations.length).padStart(4, '0')}_${one.kind}.sql`
      writeFileSync(join(this.#folder, name), one.statements.join(';\n--> statement-breakpoint\n'))
    }
    const [first, ...more] = planned
    this.#last = first && more.length === 0 && first.back ? { planned: first, before } : null
    const database = await openDatabase(this.#system.env, { statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 })
    try {
      const { notes } = await applyMigrations(database, this.#folder, syncOf(this.#schema))
      for (const note of notes) this.#note(note)
    } finally {
      await database.close()
    }
  }

  /** Alters tables as another tool does, then runs `tidemark migrate` with what the app declares by then. */
  async #alterByOthers(planned: PlannedMigration): Promise<void> {
    this.#note(`by others, ${planned.kind}: ${planned.statements.join('; ')}`)
    await this.#withDatabase(async (database) => {
      for (const statement of planned.statements) await database.query(statement)
    })
    await this.#migrate([{ ...planned, statements: [] }])
    this.#last = null
  }

  async #revert(): Promise<void> {
    if (this.#last === null) return
    const { planned, before } = this.#last
    await this.#migrate([{ kind: planned.kind, statements: planned.back ?? [], schema: before, back: null }])
    this.#last = null
  }

  async #withDatabase<Result>(run: (database: Database) => Promise<Result>): Promise<Result> {
    const database = await until(() => this.#system.openDatabase().catch(() => null))
    try {
      return await run(database)
    } finally {
      await database.close()
    }
  }

  /** Brings every writer online and waits until everything is sent and seen. */
  async #comeTogether(): Promise<void> {
    for (const { replica } of this.#writers) replica.goOnline()
    for (const round of [1, 2]) {
      for (const { replica, options } of this.#writers) {
        const waiting = setInterval(() => this.#note(`${options.name} waits: ${JSON.stringify(replica.status)}`), 5_000)
        await until(() =>
          replica.settled().then(
            () => true,
            (error: unknown) => {
              this.#note(`${options.name}, round ${round}: ${String(error)}`)
              return false
            },
          ),
        )
        clearInterval(waiting)
      }
    }
  }

  /**
   * Compares a replica in the midst of it all, once nothing of its own is pending: it shows what Postgres holds, while
   * others are behind. The lock keeps their pushes out meanwhile.
   */
  async #compareOne(writer: SchemaWriter): Promise<void> {
    const { replica, options } = writer
    const settle = () =>
      replica.settled().then(
        () => true,
        (error: unknown) => {
          this.#note(`${options.name} is not compared: ${String(error)}`)
          return false
        },
      )
    if (!(await settle())) return
    await this.#withDatabase((database) =>
      database.transaction(async ({ query }) => {
        await query('LOCK TABLE tidemark.mutation IN SHARE MODE')
        if (!(await settle())) return
        this.#violations.push(...(await compareRows(writer, this.#schema, query)))
        this.#compared += 1
      }),
    )
  }

  async #compare(): Promise<void> {
    await this.#withDatabase((database) =>
      database.transaction(async ({ query }) => {
        for (const writer of this.#writers) this.#violations.push(...(await compareRows(writer, this.#schema, query)))
        this.#violations.push(...(await findUnretyped(this.#schema, query)))
      }),
    )
    const [first] = this.#writers
    if (first) this.#violations.push(...(await compareCatalogues(this.#writers, first.options)))
    // A load mends what a step leaves otherwise; that any does is a fault of the steps.
    for (const { warnings, options } of this.#writers)
      for (const warning of warnings)
        if (warning.includes('otherwise than it says')) this.#violations.push(`${options.name}: ${warning}`)
  }
}
