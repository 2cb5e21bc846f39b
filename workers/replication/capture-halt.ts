import type { Drift } from '../../db/definition/compare-shapes.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import type { TidemarkError } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import { adoptDrift, takeOver } from './adopt-drift.ts'
import type { CaptureSettings, CaptureStore } from './capture-state.ts'
import { readDefinitionAtHead } from './epoch.ts'
import type { EpochRow } from './rules/epoch-decision.ts'
import { SchemaDrift } from './rules/schema-drift.ts'
import { readFacts } from './server-facts.ts'
import { findTakenBack } from './told-types.ts'

/** Capture stands still for tables whose shape or rows others altered, until a definition says what they are now. */
export class CaptureHalt {
  readonly #settings: Pick<CaptureSettings, 'slotName' | 'driftWaitMs' | 'nowMs'>
  readonly #store: CaptureStore

  constructor(settings: Pick<CaptureSettings, 'slotName' | 'driftWaitMs' | 'nowMs'>, store: CaptureStore) {
    this.#settings = settings
    this.#store = store
  }

  /** Takes over harmless changes. Where there are others it begins a halt and throws `schema-drift`. */
  async takeOver(database: Database, { decoder }: EpochRow): Promise<void> {
    const drifts = await this.#look(database, decoder)
    if (drifts.length > 0) throw this.begin(new SchemaDrift(drifts))
  }

  #look(database: Database, decoder: string): Promise<readonly Drift[]> {
    const slot = { name: this.#settings.slotName, decoder }
    return takeOver(database, { findTakenBack: (doubts) => findTakenBack(database.query, slot, doubts) })
  }

  /** Remembers that capture stands still and for which tables, whose rows waiting in the log are not to be trusted. */
  begin(error: TidemarkError): TidemarkError {
    const memory = this.#store.read()
    const tables = error instanceof SchemaDrift ? error.drifts.map(({ table }) => table) : []
    const distrusted = [...new Set([...memory.distrusted, ...tables])]
    const haltedAtMs = memory.haltedAtMs ?? this.#settings.nowMs()
    this.#store.write({ ...memory, halted: error.message, haltedAtMs, distrusted })
    return error
  }

  /** Trusts all tables again, now that capture has reached the definition by which replicas load them anew. */
  trust(): void {
    const memory = this.#store.read()
    if (memory.distrusted.length > 0) this.#store.write({ ...memory, distrusted: [] })
  }

  /**
   * Ends the halt once a later definition has all tables concerned loaded anew. Where only their rows are in doubt it
   * makes that definition itself at once, and where their shape is, after `driftWaitMs`. Throws `schema-drift` while it
   * must wait.
   */
  async end(database: Database, epoch: EpochRow): Promise<void> {
    const found = await this.#look(database, epoch.decoder)
    const memory = this.#store.read()
    const waitedMs = this.#settings.nowMs() - (memory.haltedAtMs ?? 0)
    const { version } = await readDefinitionAtHead(database, epoch)
    const latest = await readDefinitionInForce(database.query)
    // The cycle's own facts may be older than the version that mends it.
    const { unplaced } = await readFacts(database.query, this.#settings.slotName)
    const shapes = found.filter(({ kind }) => kind !== 'rows')
    // A table that is only watched cannot be left out of the definition, because rights depend on it.
    const mayAdopt = shapes.every(({ table }) => latest?.definition.tables.some(({ id }) => id === table))
    if (shapes.length > 0 && !(mayAdopt && waitedMs >= this.#settings.driftWaitMs))
      throw this.begin(new SchemaDrift(found))
    const staysInDoubt = ({ id }: { id: string }) =>
      found.some(({ table }) => table === id) || (unplaced[id] ?? 0) > version
    const mended = (latest?.definition.tables ?? []).filter(
      (table) => memory.distrusted.includes(table.id) && !staysInDoubt(table),
    )
    const drifts = [...found, ...mended.map(({ id }) => ({ table: id, kind: 'rows' as const, what: 'was altered' }))]
    const adopted = drifts.length > 0 ? await adoptDrift(database, drifts) : null
    const before = memory.leftOut?.version === latest?.version ? (memory.leftOut?.tables ?? []) : []
    const leftOut = adopted && { ...adopted, tables: [...adopted.tables, ...before] }
    this.#store.write({ ...memory, halted: null, haltedAtMs: null, leftOut: leftOut ?? memory.leftOut })
  }
}
