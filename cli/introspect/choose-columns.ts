import type { DeclaredTable } from '../../db/definition/declared-table.ts'
import { columnFaults, tableFaults } from '../../db/definition/table-faults.ts'
import { KEPT_AUDIENCE } from '../../protocol/index.ts'
import type { ExistingTable } from './existing-table.ts'

/** The columns of a table that may travel, and what keeps the others and the table. */
export interface ChosenColumns {
  readonly travelling: readonly string[]
  /** Columns that stay on the server; each sentence begins with a small letter and has no full stop. */
  readonly left: readonly { readonly name: string; readonly why: string }[]
  /** What has to be mended before the table can be synced at all. */
  readonly faults: readonly string[]
}

/** Names of columns that hold what nobody should have on a device. */
const PRIVATE =
  /(^|_)(passwords?|passwd|pwd|passphrase|secrets?|salt|otp|totp|ssn|iban|cvv)(_|$)|(^|_)(api|access|private|secret|encryption)_?keys?(_|$)|(^|_)(hash|digest|encrypted\w*)$|(^|_)tokens?(_|$)/i

const splitWords = (name: string) => name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')

/** Chooses as `migrate` will judge: what it would refuse stays, and so does what others are computed from. */
export function chooseColumns({ catalogue }: ExistingTable): ChosenColumns {
  const left: { name: string; why: string }[] = []
  // One that Tidemark keeps is of no definition's tables.
  let travelling = catalogue.columns.map(({ name }) => name).filter((name) => name !== KEPT_AUDIENCE)
  const leave = (name: string, why: string) => {
    left.push({ name, why })
    travelling = travelling.filter((other) => other !== name)
  }
  for (const name of travelling.filter((one) => !catalogue.primaryKey.includes(one) && PRIVATE.test(splitWords(one))))
    leave(name, 'its name says that it is private: name it in `tables.ts` if it is not')
  // What is left out may be what another one is computed from.
  for (let before = -1; before !== left.length; ) {
    before = left.length
    for (const column of catalogue.columns.filter(({ name }) => travelling.includes(name))) {
      const [fault] = columnFaults(declared(catalogue, travelling), catalogue, column)
      if (fault !== undefined) leave(column.name, `\`migrate\` would say that the table ${fault}`)
    }
  }
  return { travelling, left, faults: tableFaults(declared(catalogue, travelling), catalogue) }
}

/** The table as a sync definition would declare it, to be read alone. */
function declared(
  { schema, name }: { readonly schema: string; readonly name: string },
  columns: readonly string[],
): DeclaredTable {
  return { schema, name, columns, hidden: [], audience: { constant: 'all' }, kept: null, priority: 100, write: null }
}
