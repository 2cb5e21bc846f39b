import type { Copy } from '../store/copies.ts'
import type { Refused } from '../store/held-tables.ts'
import type { TableFault } from './refused-tables.ts'

/** Loading anew may mend a fault that a table met once; one that it meets again it would meet for ever. */
const TRIES = 2

/** The faults that tables met here under one definition and history. */
export class TableFaults {
  readonly #met = new Map<string, { readonly table: string; count: number; cause: string }[]>()

  /** Notes a fault for each copy that took part: for loading anew it makes no difference which of them met it. */
  noteFault({ table, message }: TableFault, copies: readonly Copy[]): void {
    for (const key of new Set(copies.map(({ epoch, definition }) => keyOf(epoch, definition.version)))) {
      const met = this.#met.get(key) ?? []
      this.#met.set(key, met)
      const known = met.find((one) => one.table === table)
      if (known) known.count += 1
      else met.push({ table, count: 1, cause: message })
    }
  }

  refusedOf(epoch: string, version: number): Refused {
    const met = this.#met.get(keyOf(epoch, version)) ?? []
    return Object.fromEntries(met.filter(({ count }) => count >= TRIES).map(({ table, cause }) => [table, cause]))
  }

  forgetFaults(): void {
    this.#met.clear()
  }
}

const keyOf = (epoch: string, version: number) => `${epoch} ${version}`
