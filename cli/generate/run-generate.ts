import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import { quoteIdentifier, quoteTable } from '../../protocol/sql-identifier.ts'
import { databaseMessageOf } from '../../workers/database/index.ts'
import { type AppEntities, loadEntities } from '../build/load-entities.ts'
import { dataSourceOptions } from '../build/read-metadata.ts'
import { checkEntities } from '../build/run-build.ts'
import { hasVersionTrigger, VERSION_FUNCTION_SQL, versionTriggerSql } from '../build/version-trigger.ts'
import type { Invocation } from '../command.ts'
import { applyFiles } from '../migrations/apply-migrations.ts'
import { type Choices, readChoices } from './choices.ts'
import { compareFacts } from './compare-facts.ts'
import { migrationText, nextName } from './migration-text.ts'
import { type ScratchDatabase, withScratch } from './scratch.ts'
import { type Comparison, type Step, shownTable } from './step.ts'
import { factsOf, readFacts, type SchemaFacts } from './table-facts.ts'

/** Writes the migration that brings the app's tables to what its entities say. */
export async function runGenerate({ argument, values }: Invocation): Promise<number> {
  const root = resolve(values.folder ?? '.')
  const folder = join(root, 'migrations')
  const name = argument ?? ''
  const choices = readChoices(values)
  const names = [nextName(folder, name), nextName(folder, name, 1)]
  const app = await loadEntities(root)
  const { renames, comparison } = await withScratch(values['database-url'], (now, wanted) =>
    compareDatabases(app, folder, choices, now, wanted),
  )
  for (const note of comparison.notes) console.log(note)
  const files = [comparison.labels, [...renames, ...comparison.steps]].filter((steps) => steps.length > 0)
  if (files.length === 0) {
    console.log('The migrations make what the entities say: nothing to generate.')
    return 0
  }
  mkdirSync(folder, { recursive: true })
  for (const [index, steps] of files.entries()) {
    const path = join(folder, names[index] ?? '')
    writeFileSync(path, migrationText(`migration:generate ${name}`, steps))
    console.log(`Wrote ${relative(process.cwd(), path)}:`)
    for (const { says } of steps) console.log(`  ${says}`)
  }
  return 0
}

interface Generated {
  readonly renames: readonly Step[]
  readonly comparison: Comparison
}

async function compareDatabases(
  app: AppEntities,
  folder: string,
  choices: Choices,
  now: ScratchDatabase,
  wanted: ScratchDatabase,
): Promise<Generated> {
  await checkEntities(app)
  const target = await makeEntityTables(app, wanted)
  await applyFiles(now.query, folder)
  const renames = renameSteps(choices, await readFacts(now.query))
  await runSteps(now, renames)
  const isOne = ({ schema, name }: { schema: string; name: string }) =>
    target.tables.some((table) => table.schema === schema && table.name === name)
  // Types may be there without a table that has them.
  const read = async () => {
    const facts = await readFacts(now.query)
    return { ...facts, tables: facts.tables.filter(isOne) }
  }
  const comparison = compareFacts(await read(), target, choices)
  if (comparison.questions.length > 0)
    throw new TidemarkError('bad-input', `Nothing was written.\n${comparison.questions.join('\n')}`)
  await runSteps(now, [...comparison.labels, ...comparison.steps])
  const rest = compareFacts(await read(), target, choices)
  const left = [...rest.labels, ...rest.steps].map(({ says }) => says)
  if (left.length > 0)
    throw new TidemarkError('internal', `The migration would not make what the entities say:\n${left.join('\n')}`)
  return { renames, comparison }
}

/** Lets TypeORM make the tables in an empty database, and adds what it does not know of. */
async function makeEntityTables(app: AppEntities, database: ScratchDatabase): Promise<SchemaFacts> {
  const source = new app.typeorm.DataSource({ ...dataSourceOptions(app), url: database.url })
  try {
    await source.initialize()
    const made = source.entityMetadatas.filter(({ tableType, synchronize }) => synchronize && tableType !== 'view')
    for (const schema of new Set(made.flatMap(({ schema }) => schema ?? [])))
      await source.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`)
    await source.synchronize()
    const counted = made.filter(hasVersionTrigger)
    if (counted.length > 0) await source.query(VERSION_FUNCTION_SQL)
    for (const metadata of counted) await source.query(versionTriggerSql(metadata))
    const facts = await readFacts(database.query)
    return factsOf(facts, (table) =>
      made.some(({ schema, tableName }) => (schema ?? 'public') === table.schema && tableName === table.name),
    )
  } catch (error) {
    const reason = databaseMessageOf(error) ?? (error instanceof Error ? error.message : String(error))
    throw new TidemarkError('misconfigured', `TypeORM cannot make the tables of the entities: ${reason}`, {
      cause: error,
    })
  } finally {
    if (source.isInitialized) await source.destroy()
  }
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
