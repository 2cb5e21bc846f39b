import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import { Chronicle } from '../oracle/chronicle.ts'
import { dropSlot, joinOrLeave, prune } from '../oracle/perform-event.ts'
import { seededRandom } from '../oracle/random.ts'
import type { ReplicaSample } from '../oracle/samples.ts'
import { type HttpGate, startHttpGate } from '../system/http-gate.ts'
import { type System, startSystem } from '../system/start-system.ts'
import { until } from '../system/until.ts'
import { account, type Direct, type Made } from './account.ts'
import { INVARIANTS, sync } from './app/sync.ts'
import { sync as syncWithVisits } from './app/sync-with-visits.ts'
import type { Look, Operation, Statement } from './operation.ts'
import {
  ORGS,
  type PartitionJob,
  partitionStatements,
  planWriting,
  seedWriting,
  type WritingEvent,
} from './plan-writing.ts'
import { Writer } from './writer.ts'

export interface WritingOracleOptions {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly steps: number
  readonly faults: boolean
}

export interface WritingReport {
  /** Everything that is wrong, in full sentences; empty when nothing is. */
  readonly violations: readonly string[]
  /** The number of mutations whose handle was given. */
  readonly made: number
  readonly confirmed: number
  readonly failed: number
  /** The number of operations that the replica itself refused. */
  readonly refused: number
  readonly looks: number
  /** The number of histories that there were. */
  readonly epochs: number
  readonly chronicleFile: string
}

const TABLES = ['public.person', 'public.list', 'public.task', 'public.tally', 'public.entry']
const tablesOf = ({ options: { visits } }: Writer) => (visits ? [...TABLES, 'public.visit'] : TABLES)
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
  const run = new WritingRun(system, writers, gates, options, events)
  try {
    return await run.go()
  } finally {
    for (const writer of writers) await writer.kill()
    for (const gate of gates) await gate.dispose()
    await system.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}

class WritingRun {
  readonly #system: System
  readonly #writers: readonly Writer[]
  readonly #gates: readonly HttpGate[]
  readonly #events: readonly WritingEvent[]
  readonly #made: Made[] = []
  readonly #direct: Direct[] = []
  readonly #violations: string[] = []
  /** Written as the run goes on, so that even a run that hangs shows how far it came. */
  readonly #chronicleFile: string
  /** For each replica, the end of everything that it has been given to do, one after the other. */
  readonly #turns: Promise<unknown>[]
  readonly #retries = new Map<string, string | null>()
  readonly #lostRetries = new Set<number>()
  readonly #undone = new Set<string>()
  /** Writers whose database was removed; mutations confirmed before are not listed any more. */
  readonly #lostDatabases = new Set<number>()
  readonly #chronicle = new Chronicle()
  readonly #samples: ReplicaSample[] = []
  #looks = 0

  constructor(
    system: System,
    writers: readonly Writer[],
    gates: readonly HttpGate[],
    options: WritingOracleOptions,
    events: readonly WritingEvent[],
  ) {
    this.#system = system
    this.#writers = writers
    this.#gates = gates
    this.#events = events
    this.#chronicleFile = join(tmpdir(), `tidemark-writing-${options.seed}-${options.decoder}.txt`)
    writeFileSync(this.#chronicleFile, '')
    this.#turns = writers.map(() => Promise.resolve())
  }

  async go(): Promise<WritingReport> {
    await this.#withDatabase((database) => this.#chronicle.awaitEpoch(database))
    for (const { options } of this.#writers) this.#chronicle.grantFromStart(options.name, options.orgs)
    for (const writer of this.#writers) await writer.open()
    for (const event of this.#events) await this.#perform(event)
    await Promise.all(this.#turns)
    await this.#comeTogether()
    await this.#compare()
    const statuses = await this.#account()
    // Rows on which no unsent work lay must have been shown in between as they were committed.
    const between = await this.#withDatabase((database) => this.#chronicle.examine(database, this.#samples))
    this.#violations.push(...between)
    for (const violation of this.#violations) this.#note(violation)
    return {
      violations: this.#violations,
      made: this.#made.filter(({ outcome }) => typeof outcome === 'object').length,
      refused: this.#made.filter(({ outcome }) => outcome === 'refused').length,
      looks: this.#looks,
      epochs: this.#chronicle.epochs.length,
      chronicleFile: this.#chronicleFile,
      ...statuses,
    }
  }

  #note(text: string): void {
    appendFileSync(this.#chronicleFile, `${new Date().toISOString()} ${text}\n`)
  }

  #writer(place: number): Writer {
    const writer = this.#writers[place]
    if (!writer) throw new Error(`There is no writer ${place}.`)
    return writer
  }

  /** Queues work in the writer's own turn; a kill may end it at any moment. */
  #turn(place: number, work: (writer: Writer) => Promise<unknown>): void {
    this.#turns[place] = (this.#turns[place] ?? Promise.resolve())
      .then(() => work(this.#writer(place)))
      .catch((error: unknown) => {
        this.#note(`${this.#writer(place).options.name}: ${String(error)}`)
        if (!/ended|not running/.test(String(error)))
          this.#violations.push(`${this.#writer(place).options.name}: ${String(error)}`)
      })
  }

  async #perform(event: WritingEvent): Promise<void> {
    if (event.kind !== 'wait') this.#note(JSON.stringify(event))
    switch (event.kind) {
      case 'operation':
        return this.#operate(event.writer, event.operation)
      case 'direct':
        return this.#writeDirectly(event.operation)
      case 'offline':
        return this.#turn(event.writer, (writer) => writer.tell('offline'))
      case 'online':
        return this.#turn(event.writer, (writer) => writer.tell('online'))
      case 'undo':
        return this.#undo(event.writer, event.token)
      case 'retry':
        return this.#retry(event.writer)
      case 'look':
        return this.#turn(event.writer, (writer) => this.#look(writer))
      case 'kill': {
        const writer = this.#writer(event.writer)
        await writer.kill()
        await this.#turns[event.writer]
        await writer.open()
        return
      }
      case 'loseDatabase': {
        const writer = this.#writer(event.writer)
        await writer.kill()
        await this.#turns[event.writer]
        await writer.loseDatabase()
        if (event.torn) await writer.damageJournal({ how: 'torn', at: 1 })
        this.#lostDatabases.add(event.writer)
        await writer.open()
        return
      }
      case 'damageJournal': {
        const writer = this.#writer(event.writer)
        await writer.kill()
        await this.#turns[event.writer]
        await writer.damageJournal(event.damage)
        await writer.open()
        return
      }
      case 'cut':
        return this.#gates[event.writer]?.cut()
      case 'loseAnswers':
        return this.#gates[event.writer]?.loseAnswers(event.count)
      case 'doublePushes':
        return this.#gates[event.writer]?.doublePushes(event.count)
      case 'killWorkerd':
        return this.#system.killWorkerd()
      case 'killPostgres':
        await this.#system.killPostgres()
        return this.#system.restartPostgres()
      case 'dropSlot':
        return this.#withDatabase(async (database) => {
          await dropSlot(database)
          await this.#chronicle.awaitEpoch(database)
        })
      case 'joinOrLeave':
        return this.#joinOrLeave(this.#writer(event.writer).options.user, ORGS[event.org] ?? '')
      case 'partitionJob':
        return this.#withDatabase((database) => this.#doPartitionJob(database, event.job))
      case 'prune':
        return this.#withDatabase((database) => prune(database, this.#chronicle))
      case 'wait':
        return new Promise((resolve) => setTimeout(resolve, event.waitMs))
    }
  }

  #joinOrLeave(user: string, org: string): Promise<void> {
    const replicas = this.#writers.filter(({ options }) => options.user === user).map(({ options }) => options.name)
    return this.#withDatabase((database) => joinOrLeave(database, this.#chronicle, user, org, replicas))
  }

  async #doPartitionJob(database: Database, job: PartitionJob): Promise<void> {
    const alter = () =>
      database.transaction(async ({ query }) => {
        for (const statement of partitionStatements(job)) await query(statement)
      })
    // A new empty partition is taken over without a new definition; an unexpected definition is a violation at the end.
    await (job === 'open' ? alter() : this.#chronicle.awaitAdoption(database, alter))
  }

  #operate(writer: number, operation: Operation): void {
    const made: Made = { writer, operation, outcome: 'unknown' }
    this.#made.push(made)
    this.#turn(writer, async (one) => {
      const { id, refused } = await one.perform(operation)
      made.outcome = refused === null ? { id } : 'refused'
      this.#note(`${one.options.name}: ${operation.kind} ${operation.token}: ${refused ?? id}`)
    })
  }

  /** Undoes the operation of `token` if it was done; otherwise an undo would take back the operation before it. */
  #undo(writer: number, token: string): void {
    this.#turn(writer, async (one) => {
      const made = this.#made.find(({ operation }) => operation.token === token)
      if (typeof made?.outcome !== 'object') return
      this.#undone.add(token)
      await one.undo()
    })
  }

  #retry(writer: number): void {
    this.#turn(writer, async (one) => {
      const lostBefore = this.#lostRetries.has(writer)
      this.#lostRetries.add(writer)
      const retries = await one.retryFailures()
      if (!lostBefore) this.#lostRetries.delete(writer)
      for (const { failed, again } of retries) this.#retries.set(failed, again)
    })
  }

  /** Writes as an app's own endpoint does, past every replica. */
  async #writeDirectly(operation: Operation): Promise<void> {
    const token = operation.token ?? ''
    const direct: Direct = { token, operation, committed: null }
    this.#direct.push(direct)
    try {
      const database = await this.#system.openDatabase()
      try {
        await database.transaction(async ({ query }) => {
          await query('SET LOCAL search_path = public')
          if (operation.kind === 'add') {
            await query('UPDATE tally SET count = count + 1, log = log || $2 WHERE id = $1', [
              operation.tally,
              `${token} `,
            ])
          } else if (operation.kind === 'patch') {
            for (const { text, params } of operation.statements) await query(text, params)
          }
        })
        direct.committed = true
      } finally {
        await database.close()
      }
    } catch (error) {
      // A constraint refused it, or Postgres was being killed and nobody knows the outcome.
      direct.committed = /SQLSTATE 2/.test(String(error)) ? false : null
      this.#note(`direct ${token}: ${String(error)}`)
    }
  }

  async #look(writer: Writer): Promise<Look> {
    const look = await writer.look(
      tablesOf(writer),
      INVARIANTS.map(([, query]) => query),
    )
    this.#looks += 1
    if (look.sample) {
      const { lines, touched, ...where } = look.sample
      this.#samples.push({
        ...where,
        replica: writer.options.name,
        lines: new Map(lines),
        touched: new Map(touched.map(([table, keys]) => [table, new Set(keys)])),
        moment: `look ${this.#looks}`,
        takenMs: performance.now(),
      })
    }
    for (const [place, [name]] of INVARIANTS.entries()) {
      const broken = look.broken[place] ?? []
      if (broken.length > 0)
        this.#violations.push(`${writer.options.name}: ${name} does not hold: ${broken.join(', ')}`)
    }
    return look
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
    for (const writer of this.#writers) await writer.tell('online')
    for (const writer of this.#writers) {
      await until(async () => {
        const answer = await writer.settle()
        if (!answer.ok) this.#note(`${writer.options.name}: settled(): ${answer.message}`)
        return answer.ok
      })
    }
    // The first writer also has to see what the last one sent.
    for (const writer of this.#writers) await until(async () => (await writer.settle()).ok)
  }

  async #compare(): Promise<void> {
    const database = await this.#system.openDatabase()
    for (const writer of this.#writers) {
      const look = await this.#look(writer)
      if (look.pending > 0) this.#violations.push(`${writer.options.name} still has ${look.pending} pending mutations.`)
      for (const table of tablesOf(writer)) {
        const expected = await readRows(database, table, writer.options.user)
        const held = look.rows[table] ?? []
        const missing = expected.filter((row) => !held.includes(row))
        const extra = held.filter((row) => !expected.includes(row))
        if (missing.length + extra.length > 0) {
          this.#violations.push(
            `${writer.options.name} differs from Postgres in ${table}\n  Postgres: ${missing.join('\n  ')}\n  replica: ${extra.join('\n  ')}`,
          )
        }
      }
    }
    for (const [name, query] of INVARIANTS) {
      const rows = await database.query(query)
      if (rows.length > 0) this.#violations.push(`Postgres: ${name} does not hold.`)
    }
    await database.close()
  }

  async #account(): Promise<{ confirmed: number; failed: number }> {
    const database = await this.#system.openDatabase()
    const entries = await database.query('SELECT token, count(*)::text AS count FROM public.entry GROUP BY token')
    const tallies = await database.query('SELECT log FROM public.tally')
    await database.close()
    const statuses: Map<string, string>[] = []
    for (const writer of this.#writers) {
      const { mutations } = await this.#look(writer)
      statuses.push(new Map(mutations.map(({ id, status }) => [id, status])))
    }
    const { violations, ...ended } = account(this.#made, this.#direct, {
      entries: new Map(entries.map(({ token, count }) => [token ?? '', Number(count)])),
      logged: tallies.flatMap(({ log }) => (log ?? '').split(' ')).filter((word) => word !== ''),
      statuses,
      names: this.#writers.map(({ options }) => options.name),
      wasUndone: (token) => this.#undone.has(token),
      retries: this.#retries,
      lostRetries: (writer) => this.#lostRetries.has(writer),
      lostDatabase: (writer) => this.#lostDatabases.has(writer),
    })
    this.#violations.push(...violations)
    return ended
  }
}

/** Reads the rows of a table that a user may see by now. */
async function readRows(database: Database, table: string, user: string): Promise<string[]> {
  const rows = await database.transaction(async ({ query }) => {
    await query(`SET LOCAL TimeZone = 'UTC'`)
    return query(
      `SELECT to_jsonb(t)::text AS row FROM ${table} AS t
       WHERE org_id IN (SELECT org_id FROM public.membership WHERE user_id = $1) ORDER BY 1`,
      [user],
    )
  })
  return rows.map(({ row }) => row ?? '')
}
