import { appendFileSync, writeFileSync } from 'node:fs'
import type { Database } from '../../workers/database/index.ts'
import { Chronicle } from '../oracle/chronicle.ts'
import { dropSlot, joinOrLeave, prune } from '../oracle/perform-event.ts'
import type { ReplicaSample } from '../oracle/samples.ts'
import type { HttpGate } from '../system/http-gate.ts'
import type { System } from '../system/start-system.ts'
import { until } from '../system/until.ts'
import { account, type Direct, type Made } from './account.ts'
import { FINAL_INVARIANTS, INVARIANTS } from './app/sync.ts'
import { differencesOf, readTokens, tablesOf } from './compare-with-postgres.ts'
import type { Look, Operation } from './operation.ts'
import { LEASES_FORGOTTEN } from './plan-numbered.ts'
import { ORGS, type WritingEvent } from './plan-writing.ts'
import { alterPartitions, writeDirectly } from './write-directly.ts'
import type { Writer } from './writer.ts'

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

/** One run of the plan: what was made, what was looked at, and what is wrong. The file is long because it has a case for each kind of event. */
export class WritingRun {
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
    chronicleFile: string,
    events: readonly WritingEvent[],
  ) {
    this.#system = system
    this.#writers = writers
    this.#gates = gates
    this.#events = events
    this.#chronicleFile = chronicleFile
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
    this.#violations.push(...(await this.#withDatabase((database) => this.#chronicle.examine(database, this.#samples))))
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
      case 'kill':
        return this.#restart(event.writer)
      case 'loseDatabase':
        return this.#restart(event.writer, async (writer) => {
          await writer.loseDatabase()
          if (event.torn) await writer.damageJournal({ how: 'torn', at: 1 })
          this.#lostDatabases.add(event.writer)
        })
      case 'damageJournal':
        return this.#restart(event.writer, (writer) => writer.damageJournal(event.damage))
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
        return this.#withDatabase((database) => alterPartitions(database, this.#chronicle, event.job))
      case 'prune':
        return this.#withDatabase((database) => prune(database, this.#chronicle))
      case 'forgetLeases':
        return this.#withDatabase(async (database) => {
          for (const statement of LEASES_FORGOTTEN) await database.query(statement)
        })
      case 'wait':
        return new Promise((resolve) => setTimeout(resolve, event.waitMs))
    }
  }

  /** Kills a writer, and opens it again after what befalls its files meanwhile. */
  async #restart(place: number, befall: (writer: Writer) => Promise<unknown> = async () => {}): Promise<void> {
    const writer = this.#writer(place)
    await writer.kill()
    await this.#turns[place]
    await befall(writer)
    await writer.open()
  }

  #joinOrLeave(user: string, org: string): Promise<void> {
    const replicas = this.#writers.filter(({ options }) => options.user === user).map(({ options }) => options.name)
    return this.#withDatabase((database) => joinOrLeave(database, this.#chronicle, user, org, replicas))
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

  async #writeDirectly(operation: Operation): Promise<void> {
    const token = operation.token ?? ''
    const direct: Direct = { token, operation, committed: null }
    this.#direct.push(direct)
    direct.committed = await writeDirectly(this.#system, operation, (fault) => this.#note(`direct ${token}: ${fault}`))
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

  /** Runs with a connection, once Postgres is there. */
  #withDatabase<Result>(run: (database: Database) => Promise<Result>): Promise<Result> {
    return until(() => this.#system.openDatabase().catch(() => null)).then((database) =>
      run(database).finally(() => database.close()),
    )
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
      this.#violations.push(...(await differencesOf(database, writer, look)))
    }
    for (const [name, query] of [...INVARIANTS, ...FINAL_INVARIANTS]) {
      const rows = await database.query(query)
      if (rows.length > 0) this.#violations.push(`Postgres: ${name} does not hold.`)
    }
    await database.close()
  }

  async #account(): Promise<{ confirmed: number; failed: number }> {
    const database = await this.#system.openDatabase()
    const tokens = await readTokens(database)
    await database.close()
    const statuses: Map<string, string>[] = []
    for (const writer of this.#writers) {
      const { mutations } = await this.#look(writer)
      statuses.push(new Map(mutations.map(({ id, status }) => [id, status])))
    }
    const { violations, ...ended } = account(this.#made, this.#direct, {
      ...tokens,
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
