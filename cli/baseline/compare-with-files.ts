import { shownTable } from '../generate/step.ts'
import type { ColumnFacts, SchemaFacts, TableFacts } from '../generate/table-facts.ts'

/** The constraints that keys and references are; checks are printed differently from version to version. */
const COMPARED = ['p', 'u', 'f']

/** Lists what the files make and a database does not have, one sentence each; what it has besides is its own. */
export function findMissing(made: SchemaFacts, there: SchemaFacts): string[] {
  const extensions = made.extensions.filter((name) => !there.extensions.includes(name))
  return [
    ...extensions.map((name) => `Extension ${name} is not there.`),
    ...made.enums.flatMap(({ name, labels }) => {
      const type = there.enums.find((one) => one.name === name)
      if (!type) return [`Enum type ${name} is not there, or no column has it.`]
      const lacking = labels.filter((label) => !type.labels.includes(label))
      return lacking.length === 0 ? [] : [`Enum type ${name} lacks ${lacking.join(', ')}.`]
    }),
    ...made.tables.flatMap((table) => {
      const found = there.tables.find(({ schema, name }) => schema === table.schema && name === table.name)
      return found ? inTable(table, found) : [`Table ${shownTable(table)} is not there.`]
    }),
  ]
}

function inTable(made: TableFacts, there: TableFacts): string[] {
  const table = `Table ${shownTable(made)}`
  const columns = made.columns.flatMap((column) => {
    const found = there.columns.find(({ name }) => name === column.name)
    if (!found) return [`${table} lacks column ${column.name}.`]
    const [wanted, is] = [kindOf(column), kindOf(found)]
    return wanted === is ? [] : [`${table} has column ${column.name} as ${is}, and not as ${wanted}.`]
  })
  const constraints = made.constraints
    .filter(({ kind, meaning }) => COMPARED.includes(kind) && !there.constraints.some((one) => one.meaning === meaning))
    .map(({ definition }) => `${table} lacks ${definition}.`)
  return [...columns, ...constraints]
}

const kindOf = ({ type, notNull, generated }: ColumnFacts) =>
  `${type}${notNull ? ' NOT NULL' : ''}${generated ? ', generated' : ''}`
