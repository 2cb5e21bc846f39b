import { quoteIdentifier, quoteLiteral, quoteTable } from '../../protocol/sql-identifier.ts'
import { VERSION_FUNCTION_SQL, VERSION_TRIGGER } from '../build/version-trigger.ts'
import type { Choices } from './choices.ts'
import { columnSql, compareColumns } from './compare-columns.ts'
import { compareConstraints } from './compare-constraints.ts'
import { type Comparison, type Step, shownTable } from './step.ts'
import type { EnumFacts, SchemaFacts, TableFacts } from './table-facts.ts'

/**
 * Says how the tables of a database become those that entities want.
 *
 * Nothing is guessed: what could be a rename is asked for, and what the entities do not have stays. `now` holds at least
 * the tables of the same names.
 */
export function compareFacts(now: SchemaFacts, wanted: SchemaFacts, choices: Choices): Comparison {
  const enums = compareEnums(now.enums, wanted.enums)
  const pairs = wanted.tables.map((table) => ({
    table,
    before: now.tables.find(({ schema, name }) => schema === table.schema && name === table.name) ?? null,
  }))
  const schemas = [...new Set(wanted.tables.map(({ schema }) => schema))].filter((name) => !now.schemas.includes(name))
  const columns = pairs.flatMap(({ table, before }) => (before ? [compareColumns(before, table, choices)] : []))
  const constraints = pairs.map(({ table, before }) => compareConstraints(before, table, choices))
  return {
    labels: enums.labels,
    steps: [
      ...schemas.map((name) => ({
        statement: `CREATE SCHEMA ${quoteIdentifier(name)}`,
        says: `Makes schema ${name}.`,
      })),
      ...enums.steps,
      ...pairs.flatMap(({ table, before }) => (before ? [] : [createTable(table)])),
      ...columns.flatMap(({ steps }) => steps),
      ...constraints.flatMap(({ steps }) => steps),
      ...constraints.flatMap(({ foreignKeys }) => foreignKeys),
      ...compareVersions(now, wanted, pairs),
    ],
    questions: [...enums.questions, ...[...columns, ...constraints].flatMap(({ questions }) => questions)],
    notes: [...columns, ...constraints].flatMap(({ notes }) => notes),
  }
}

function createTable(table: TableFacts): Step {
  const columns = table.columns.map((column) => `  ${columnSql(column)}`).join(',\n')
  return { statement: `CREATE TABLE ${quoteTable(table)} (\n${columns}\n)`, says: `Makes table ${shownTable(table)}.` }
}

function compareEnums(now: readonly EnumFacts[], wanted: readonly EnumFacts[]) {
  const steps: Step[] = []
  const labels: Step[] = []
  const questions: string[] = []
  for (const type of wanted) {
    const before = now.find(({ name }) => name === type.name)
    if (!before) {
      const list = type.labels.map(quoteLiteral).join(', ')
      steps.push({ statement: `CREATE TYPE ${type.name} AS ENUM (${list})`, says: `Makes type ${type.name}.` })
    } else if (before.labels.join('\n') === type.labels.filter((label) => before.labels.includes(label)).join('\n'))
      labels.push(...newLabels(type, before.labels))
    else {
      questions.push(
        `Enum type ${type.name} has the labels ${before.labels.join(', ')}, and the entities want ${type.labels.join(', ')}: ` +
          'Postgres can only add labels, so keep the old ones in their order, or move the rows to a new type by hand, in a file of tidemark migration:create.',
      )
    }
  }
  return { steps, labels, questions }
}

/** Puts each new label where the entities have it. */
function newLabels({ name, labels }: EnumFacts, before: readonly string[]): Step[] {
  return labels.flatMap((label, index) => {
    if (before.includes(label)) return []
    const previous = labels[index - 1]
    const place =
      previous === undefined ? ` BEFORE ${quoteLiteral(before[0] ?? '')}` : ` AFTER ${quoteLiteral(previous)}`
    return [
      {
        statement: `ALTER TYPE ${name} ADD VALUE ${quoteLiteral(label)}${place}`,
        says: `Adds label ${label} to ${name}; rows stay what they are. It can be used from the next file on.`,
      },
    ]
  })
}

function compareVersions(
  now: SchemaFacts,
  wanted: SchemaFacts,
  pairs: readonly { table: TableFacts; before: TableFacts | null }[],
): Step[] {
  const steps: Step[] = []
  if (wanted.versionFunction !== null && now.versionFunction !== wanted.versionFunction) {
    const statement = VERSION_FUNCTION_SQL.replace(
      /^CREATE/,
      now.versionFunction === null ? 'CREATE' : 'CREATE OR REPLACE',
    )
    steps.push({ statement, says: 'Makes the function that counts versions and sets updated_at.' })
  }
  for (const { table, before } of pairs) {
    const [old, next] = [before?.versionTrigger ?? null, table.versionTrigger]
    if (old === next) continue
    if (old !== null)
      steps.push({
        statement: `DROP TRIGGER ${VERSION_TRIGGER} ON ${quoteTable(table)}`,
        says: `Ends the counting of versions in ${shownTable(table)}.`,
      })
    if (next !== null) steps.push({ statement: next, says: `Counts versions in ${shownTable(table)}, whoever writes.` })
  }
  return steps
}
