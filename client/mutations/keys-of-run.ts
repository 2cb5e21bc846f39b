import { leasedColumnOf, noLeasedKey } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { type ReplicaTables, tableOf } from '../store/replica-table.ts'
import { type ActionKeys, keepActionKeys, makeWay, readActionKeys, takeKeyApart } from '../store/rows/leased-keys.ts'

/** The keys that one run of an action takes: those of its earlier runs in their order, then new ones, which are kept. */
export class KeysOfRun {
  readonly #tx: Executor
  readonly #tables: ReplicaTables
  readonly #counter: number
  readonly #given = new Map<string, number>()
  #kept: ActionKeys | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(tx: Executor, tables: ReplicaTables, counter: number) {
    this.#tx = tx
    this.#tables = tables
    this.#counter = counter
  }

  /** Answers the next key of a table, named as in SQL. Rejects where no sequence numbers it here, and with TMK01 where none is left. */
  take(name: string): Promise<string> {
    const next = this.#turn.catch(() => undefined).then(() => this.#takeNext(name))
    this.#turn = next
    return next
  }

  async #takeNext(name: string): Promise<string> {
    const leased = leasedColumnOf({ tables: [...this.#tables.values()].map(({ definition }) => definition) }, name)
    if (!leased) throw new Error(noLeasedKey(name))
    const { table, column, sequence } = leased
    this.#kept ??= await readActionKeys(this.#tx, this.#counter)
    const at = this.#given.get(sequence) ?? 0
    this.#given.set(sequence, at + 1)
    const kept = this.#kept[sequence] ?? []
    const known = kept[at]
    const { name: shown, key: primary } = tableOf(this.#tables, table.id)
    // A row that somebody made by this key meanwhile makes way here, as to an insert of a patch, until the server decides.
    if (known !== undefined && primary.length === 1) await makeWay(this.#tx, shown, column, known)
    if (known !== undefined) return known
    const key = await takeKeyApart(this.#tx, sequence, shown, column)
    this.#kept = { ...this.#kept, [sequence]: [...kept, key] }
    await keepActionKeys(this.#tx, this.#counter, this.#kept)
    return key
  }
}
