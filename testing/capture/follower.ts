import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { quoteTable, type TableDefinition, travellingColumns } from '../../protocol/index.ts'
import type { CaptureHarness, HistoryEntry } from './capture-harness.ts'

type Row = Record<string, string | null>

export interface CaughtUp {
  /** Ids of the tables that a definition had it load anew. */
  readonly loaded: readonly string[]
  /** Rows it would show otherwise than Postgres, or not at all; empty where both agree. */
  readonly wrong: readonly string[]
}

/** A replica without a database: it folds history, takes steps, and loads tables from Postgres that have none. */
export class Follower {
  readonly #harness: CaptureHarness
  readonly #tables = new Map<string, Map<string, Row>>()
  #version = 0
  #epoch = ''
  #seen = 0

  constructor(harness: CaptureHarness) {
    this.#harness = harness
  }

  /** Captures what waits, follows it, and compares. */
  async catchUp(): Promise<CaughtUp> {
    await this.#harness.drain()
    // A cycle that meets a definition leaves the consequences to the next one.
    if (this.#harness.capture.state === null) await this.#harness.drain()
    const [current] = await this.#harness.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL')
    if (this.#epoch !== (current?.id ?? '')) this.#begin()
    this.#epoch = current?.id ?? ''
    const entries = (await this.#harness.history()).slice(this.#seen)
    const begun = this.#version === 0
    const loaded = new Set<string>()
    for (const entry of entries) {
      if (entry.operation === 'definition' && !begun) await this.#follow(entry.schemaVersion, loaded)
      else this.#fold(entry)
    }
    this.#seen += entries.length
    const tables = this.#definition
    for (const table of tables) {
      if (begun) loaded.add(table.id)
      if (loaded.has(table.id)) this.#load(table, await this.#select(table))
    }
    this.#version = this.#harness.capture.state?.definition.version ?? 0
    const wrong = await Promise.all(tables.map((table) => this.#compare(table)))
    return { loaded: [...loaded].sort(), wrong: wrong.flat() }
  }

  #fold({ table, operation, key, data }: HistoryEntry): void {
    const rows = this.#rowsOf(table)
    const name = JSON.stringify(key)
    if (operation === 'truncate') rows.clear()
    else if (operation === 'delete') rows.delete(name)
    else if (operation === 'insert') rows.set(name, { ...data })
    else if (operation === 'update') rows.set(name, { ...rows.get(name), ...data })
  }

  /** Takes a version: tables that have a step are made from the rows there are, others that changed are to be loaded. */
  async #follow(version: number, loaded: Set<string>): Promise<void> {
    const inForce = await readDefinitionInForce(this.#harness.connection.query, version)
    for (const table of inForce?.definition.tables ?? []) {
      if (table.since !== version) continue
      const step = inForce?.steps?.find((one) => one.table === table.id)
      const from = step?.from ?? null
      if (step === undefined || from === null || loaded.has(from)) loaded.add(table.id)
      else
        this.#load(
          table,
          [...this.#rowsOf(from).values()].map((row) =>
            Object.fromEntries(
              step.columns.map((column) => [
                column.name,
                column.from === null ? (column.value ?? null) : (row[column.from] ?? null),
              ]),
            ),
          ),
        )
    }
  }

  #begin(): void {
    this.#tables.clear()
    this.#version = 0
    this.#seen = 0
  }

  #rowsOf(id: string): Map<string, Row> {
    const rows = this.#tables.get(id) ?? new Map<string, Row>()
    this.#tables.set(id, rows)
    return rows
  }

  get #definition(): readonly TableDefinition[] {
    const { state } = this.#harness.capture
    return state?.definition.definition.tables ?? []
  }

  #load(table: TableDefinition, rows: readonly Row[]): void {
    const loaded = rows.map((row): [string, Row] => {
      const key = Object.fromEntries(table.primaryKey.map((name) => [name, row[name] ?? null]))
      return [JSON.stringify(key), row]
    })
    this.#tables.set(table.id, new Map(loaded))
  }

  async #select(table: TableDefinition): Promise<Row[]> {
    const columns = travellingColumns(table).map(({ name }) => `"${name}"::text`)
    return await this.#harness.query(`SELECT ${columns.join(', ')} FROM ${quoteTable(table)}`)
  }

  /** Compares values as a replica's columns would hold them. */
  async #compare(table: TableDefinition): Promise<string[]> {
    const shown = [...this.#rowsOf(table.id).values()]
    const columns = travellingColumns(table)
    const casts = columns.map(({ name, type }) => `(("${name}")::${type})::text AS "${name}"`)
    const texts = columns.map(({ name }) => `"${name}" text`)
    const cast = await this.#harness.query(
      `SELECT ${casts.join(', ')} FROM json_to_recordset($1::json) AS r(${texts.join(', ')})`,
      [JSON.stringify(shown)],
    )
    const sorted = (rows: readonly Row[]) =>
      rows.map((row) => JSON.stringify(columns.map(({ name }) => row[name]))).sort()
    const [here, there] = [sorted(cast), sorted(await this.#select(table))]
    const differing = [...here.filter((row) => !there.includes(row)), ...there.filter((row) => !here.includes(row))]
    return differing.map((row) => `${table.id} ${row}`)
  }
}
