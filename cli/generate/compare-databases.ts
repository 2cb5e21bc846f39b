import { TidemarkError } from '../../protocol/errors.ts'
import { quoteIdentifier, quoteTable } from '../../protocol/sql-identifier.ts'
import { databaseMessageOf } from '../../workers/database/index.ts'
import type { AppEntities } from '../build/load-entities.ts'
import { applyFiles } from '../migrations/apply-migrations.ts'
import type { Choices } from './choices.ts'
import { compareFacts } from './compare-facts.ts'
import { makeEntityTables } from './entity-tables.ts'
import type { ScratchDatabase } from './scratch.ts'
import { type Comparison, type Step, shownTable } from './step.ts'
import { readFacts, type SchemaFacts } from './table-facts.ts'

/**
 * Says what makes the tables of the app's migrations those of its entities, and has tried it.
 *
 * Throws `bad-input` with what has to be decided first, or what Postgres refuses.
 */
export async function compareDatabases(
  app: AppEntities,
  folder: string,
  choices: Choices,
  now: ScratchDatabase,
  wanted: ScratchDatabase,
): Promise<Comparison> {
  await applyFiles(now.query, folder)
  const before = await readFacts(now.query)
  const target = await makeEntityTables(app, wanted, before.extensions)
  const renames = renameSteps(choices, before)
  await runSteps(now, renames)
  const renamed = await readFacts(now.query)
  const comparison = compareFacts(renamed, target, choices)
  if (comparison.questions.length > 0)
    throw new TidemarkError('bad-input', `Nothing was written.\n${comparison.questions.join('\n')}`)
  await runSteps(now, [...comparison.labels, ...comparison.steps])
  const rest = compareFacts(await readFacts(now.query), target, choices)
  const left = [...rest.labels, ...rest.steps].map(({ says }) => says)
  if (left.length > 0)
    throw new TidemarkError('internal', `The migration would not make what the entities say:\n${left.join('\n')}`)
  return {
    ...comparison,
    steps: [...renames, ...comparison.steps],
    notes: [...comparison.notes, ...withoutEntity(renamed, target)],
  }
}

/** A table that would be new may be an old one under another name. */
function withoutEntity(now: SchemaFacts, target: SchemaFacts): string[] {
  const names = (facts: SchemaFacts, others: SchemaFacts) =>
    facts.tables.map(shownTable).filter((name) => !others.tables.map(shownTable).includes(name))
  const [made, spare] = [names(target, now), names(now, target)]
  if (made.length === 0 || spare.length === 0) return []
  return [
    `Tables without an entity stay as they are: ${spare.join(', ')}. If one of them became ${made.join(' or ')}, ` +
      `take the new file away and say so: --rename ${spare[0]}:${made[0]}`,
  ]
}

function renameSteps({ renames }: Choices, facts: SchemaFacts): Step[] {
  return renames.map(({ from, to }) => {
    for (const table of facts.tables) {
      const shown = shownTable(table)
      if (from === shown)
        return {
          statement: `ALTER TABLE ${quoteTable(table)} RENAME TO ${quoteIdentifier(to)}`,
          says: `Renames table ${from} to ${to}; its rows stay.`,
        }
      const column = table.columns.find(({ name }) => from === `${shown}.${name}`)
      if (column)
        return {
          statement: `ALTER TABLE ${quoteTable(table)} RENAME COLUMN ${quoteIdentifier(column.name)} TO ${quoteIdentifier(to)}`,
          says: `Renames column ${from} to ${to}; its data stays.`,
        }
    }
    throw new TidemarkError(
      'bad-input',
      `--rename ${from}:${to} names no table and no column that the migrations make.`,
    )
  })
}

async function runSteps({ query }: ScratchDatabase, steps: readonly Step[]): Promise<void> {
  for (const { statement, says } of steps) {
    try {
      await query(statement)
    } catch (error) {
      throw new TidemarkError(
        'bad-input',
        `Nothing was written, because Postgres refuses a statement of the migration: ${databaseMessageOf(error) ?? error}\n` +
          `${says}\n${statement}\nWrite this one by hand, in a file of tidemark migration:create, and generate the rest.`,
        { cause: error },
      )
    }
  }
}
