import {
  audienceOf,
  type Definition,
  KEPT_AUDIENCE,
  type PredictedChange,
  type Rejection,
  type Row,
  type TableDefinition,
  TidemarkError,
  tableId,
  type WireChange,
} from '../../../protocol/index.ts'
import { defaultValue, type MadeValues } from './default-value.ts'

/** The rows that the server of a test holds, by table and key; values are Postgres' text. */
export class ServerTables {
  readonly #definition: Definition
  readonly #made: MadeValues
  readonly #audiences: readonly string[]
  readonly #rows = new Map<string, Map<string, Row>>()
  /** The last number that each column counted to. */
  readonly #counted = new Map<string, bigint>()

  constructor(definition: Definition, audiences: readonly string[], made: MadeValues) {
    this.#definition = definition
    this.#audiences = audiences
    this.#made = made
  }

  table(id: string): TableDefinition {
    const found = this.#definition.tables.find((table) => table.id === id)
    if (!found) throw new TidemarkError('bad-input', `The sync definition has no table ${id}.`)
    return found
  }

  row(id: string, key: Row): Row | undefined {
    return this.#rows.get(id)?.get(keyText(this.table(id), key))
  }

  /** Writes a row as the server would: an update where its key is there, else an insert. */
  upsert(id: string, row: Row): WireChange[] {
    const table = this.table(id)
    const held = this.row(id, row)
    if (!held) return [this.#insert(table, this.#kept(table, this.#filled(table, row)))]
    const next = this.#kept(table, { ...held, ...row })
    return [...this.#update(table, held, next), ...this.#carry(table, held, next)]
  }

  /** Gives a row the audience that a server keeps for it; a condition is taken to hold. */
  #kept({ kept }: TableDefinition, row: Row): Row {
    if (kept === undefined) return row
    const { column, parent } = kept
    if (!parent) return { ...row, [KEPT_AUDIENCE]: row[column ?? ''] ?? null }
    const key = Object.fromEntries(parent.key.map((name, index) => [name, row[parent.columns[index] ?? ''] ?? null]))
    return { ...row, [KEPT_AUDIENCE]: this.row(tableId(parent), key)?.[parent.audience] ?? null }
  }

  /** Moves the rows that take their audience from this one. */
  #carry(table: TableDefinition, before: Row, after: Row): WireChange[] {
    return this.#definition.tables.flatMap((child) => {
      const { parent } = child.kept ?? {}
      if (!parent || tableId(parent) !== table.id || before[parent.audience] === after[parent.audience]) return []
      const isIts = (row: Row) => parent.key.every((name, index) => row[parent.columns[index] ?? ''] === after[name])
      return [...(this.#rows.get(child.id)?.values() ?? [])].filter(isIts).flatMap((row) => this.upsert(child.id, row))
    })
  }

  delete(id: string, key: Row): WireChange[] {
    const table = this.table(id)
    const held = this.row(id, key)
    if (!held) return []
    this.#rows.get(id)?.delete(keyText(table, held))
    return [{ o: 'd', t: id, a: this.#audience(table, held), k: keyOf(table, held) }]
  }

  /** Writes what a mutation predicts; the caller has looked whether it can. */
  write(change: PredictedChange): WireChange[] {
    if (change.o === 'd') return this.delete(change.t, change.k)
    if (change.o === 'i') return this.upsert(change.t, change.d)
    return this.upsert(change.t, { ...change.k, ...change.d })
  }

  /** Says why a change cannot be written; null where it can. */
  refusalOf({ o, t, k }: PredictedChange): Rejection | null {
    const held = this.row(t, k)
    if (o === 'i' && held)
      return { kind: 'constraint', message: 'A row with this key is there already.', table: t, key: k }
    if (o === 'u' && !held) return { kind: 'missing-row', message: 'The row is not there.', table: t, key: k }
    return null
  }

  #insert(table: TableDefinition, row: Row): WireChange {
    const audience = this.#audience(table, row)
    const rows = this.#rows.get(table.id) ?? new Map<string, Row>()
    this.#rows.set(table.id, rows.set(keyText(table, row), row))
    return { o: 'i', t: table.id, a: audience, d: row }
  }

  #update(table: TableDefinition, held: Row, row: Row): WireChange[] {
    const before = this.#audience(table, held)
    if (before !== this.#audience(table, row)) return [...this.delete(table.id, held), this.#insert(table, row)]
    const changed = Object.entries(row).filter(([name, value]) => held[name] !== value)
    this.#rows.get(table.id)?.set(keyText(table, row), row)
    return [{ o: 'u', t: table.id, a: before, k: keyOf(table, row), d: Object.fromEntries(changed) }]
  }

  /** Gives a new row all its columns. Throws `bad-input` where one that must have a value has none. */
  #filled({ id, columns }: TableDefinition, row: Row): Row {
    const filled: Record<string, string | null> = {}
    for (const column of columns) {
      if (column.generated !== null) continue
      const given = row[column.name]
      const value = given === undefined || (given === null && column.serverDefault) ? this.#fill(id, column) : given
      if (value === null && column.notNull)
        throw new TidemarkError('bad-input', `A row of ${id} needs a value for ${column.name}.`)
      filled[column.name] = value
    }
    return filled
  }

  /** Draws the next numbers of a sequence. */
  draw(sequence: string, count: number): string[] {
    return Array.from({ length: count }, () => this.#next(sequence))
  }

  #next(sequence: string): string {
    const next = (this.#counted.get(sequence) ?? 0n) + 1n
    this.#counted.set(sequence, next)
    return String(next)
  }

  /** Fills in what only a server counts, and defaults. */
  #fill(id: string, { name, type, default: expression, serverDefault, leased }: TableDefinition['columns'][number]) {
    if (leased !== undefined) return this.#next(leased)
    if (expression !== undefined) return defaultValue(expression, this.#made) ?? null
    if (!serverDefault || !/^(small|big)?int(eger)?$/.test(type)) return null
    return this.#next(`${id}.${name}`)
  }

  /** Throws `bad-input` for a row that the user does not see, since nothing could show it. */
  #audience({ id, audience: rule }: TableDefinition, row: Row): string {
    const audience = audienceOf(rule, row)
    if (audience !== null && this.#audiences.includes(audience)) return audience
    const why = audience === null ? 'it names no audience' : `name ${audience} in \`audiences\``
    throw new TidemarkError('bad-input', `The user does not see this row of ${id}: ${why}.`)
  }
}

const keyOf = ({ primaryKey }: TableDefinition, row: Row): Row =>
  Object.fromEntries(primaryKey.map((name) => [name, row[name] ?? null]))

const keyText = (table: TableDefinition, row: Row): string => JSON.stringify(Object.values(keyOf(table, row)))
