import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { foreseeFaults } from '../../db/definition/apply-definition.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { loadSync } from '../app/load-module.ts'
import type { Invocation } from '../command.ts'
import { isEmpty, named, writeApp } from '../init/run-init.ts'
import { startReplicaTrial } from '../migrations/replica-trial.ts'
import { showBytes } from '../migrations/table-sizes.ts'
import { withMigrationDatabase } from '../migrations/with-app-database.ts'
import { packageRoot } from '../package-root.ts'
import { ownPackages } from './own-packages.ts'
import { type Plan, type PlannedTable, planTables } from './plan-tables.ts'
import { readDatabase } from './read-database.ts'
import { writeModules } from './write-modules.ts'
import { writePolicies } from './write-policies.ts'
import { writeReport } from './write-report.ts'
import { writeSync } from './write-sync.ts'

/** The files of an app that this adds where they are not there. */
const OF_APP = ['worker.ts', 'replica.ts', 'wrangler.toml']
/** What the small app of `init` has, and one of a database has not: its schema, and what tells of it. */
const OF_TASKS = ['README.md', 'migrations/0001_task.sql', 'sync.ts']

/**
 * Writes the modules of a database that is there into a new or an existing folder, a report and policies. Throws
 * `bad-input` where one of them is there already.
 */
export async function runIntrospect({ argument, values }: Invocation): Promise<number> {
  const folder = resolve(argument ?? '')
  const isNew = isEmpty(folder)
  if (values.template !== undefined)
    throw new TidemarkError(
      'bad-input',
      '--template begins with tables of its own: leave it out beside --database-url.',
    )
  const { plan, files, faults } = await withMigrationDatabase(values['database-url'], ({ database, shown }) =>
    database.transaction(
      async ({ query }) => {
        await query('SET LOCAL search_path = pg_catalog')
        const found = planTables(await readDatabase(query))
        const modules = writeModules(found)
        const texts = {
          'tables.ts': modules.tables,
          'relations.ts': modules.relations,
          'sync.ts': writeSync(found, modules),
          'tidemark-report.md': writeReport(found, modules, shown),
          'tidemark-policies.sql': writePolicies(found),
        }
        refuseOverwriting(folder, Object.keys(texts))
        if (isNew) writeNewApp(folder)
        for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text)
        const isAnySynced = found.tables.some(({ leftOut }) => leftOut === null)
        const trial = isAnySynced ? await startReplicaTrial() : null
        try {
          const sync = await loadSync(join(folder, 'sync.ts'), [ownPackages])
          return {
            plan: found,
            files: Object.keys(texts),
            faults: trial ? await foreseeFaults(query, sync, trial.tryDefinition) : [],
          }
        } finally {
          await trial?.close()
        }
      },
      { isolation: 'repeatable read', readOnly: true },
    ),
  )
  for (const name of OF_APP) {
    if (existsSync(join(folder, name))) continue
    const text = readFileSync(join(packageRoot(), 'cli', sourceOf(name), name), 'utf8')
    writeFileSync(join(folder, name), named(text, folder))
  }
  report(folder, plan, files, faults, isNew)
  return 0
}

const sourceOf = (name: string) => (name === 'wrangler.toml' ? 'template' : 'template-database')

function refuseOverwriting(folder: string, names: readonly string[]): void {
  const there = names.filter((name) => existsSync(join(folder, name)))
  if (there.length > 0)
    throw new TidemarkError(
      'bad-input',
      `${folder} has ${there.join(', ')} already, and nothing was written: move what is there, or give another folder.`,
    )
}

function writeNewApp(folder: string): void {
  writeApp(folder, 'node')
  for (const name of OF_TASKS) rmSync(join(folder, name))
  cpSync(join(packageRoot(), 'cli', 'template-database'), folder, { recursive: true })
}

function report(
  folder: string,
  { tables }: Plan,
  files: readonly string[],
  faults: readonly string[],
  isNew: boolean,
): void {
  const synced = tables.filter(({ leftOut }) => leftOut === null)
  const width = Math.max(0, ...tables.map(({ id }) => id.length))
  console.log(`Read ${tables.length} tables; nothing was changed there.\n`)
  for (const [title, some] of [
    ['In sync, as a proposal:', synced],
    ['Left out until you decide:', tables.filter((one) => !synced.includes(one))],
  ] as const) {
    if (some.length === 0) continue
    console.log(title)
    for (const table of some) console.log(`  ${table.id.padEnd(width)}  ${summaryOf(table)}`)
  }
  if (tables.some(({ existing }) => existing.rows === null))
    console.log('? rows: the server has no estimate of that table yet; ANALYZE makes one.')
  for (const fault of faults) console.log(`To mend before tidemark migrate: ${fault}`)
  const shown = relative(process.cwd(), folder) || '.'
  console.log(`\nWrote ${files.map((name) => join(shown, name)).join(', ')}.`)
  const steps = [
    `read ${join(shown, 'tidemark-report.md')}, and answer each DECIDE in ${join(shown, 'sync.ts')}`,
    isNew ? `cd ${shown} && npm install` : `in ${shown}: npm install tidemark drizzle-orm jose`,
    ...(hasMigrations(folder) ? [`npx tidemark migrate --baseline, as the files in migrations/ ran already`] : []),
    'npx tidemark migrate',
  ]
  console.log(`Next:\n${steps.map((step) => `  ${step}`).join('\n')}`)
}

const hasMigrations = (folder: string) => {
  mkdirSync(join(folder, 'migrations'), { recursive: true })
  return readdirSync(join(folder, 'migrations')).length > 0
}

const WHY = {
  faults: 'cannot be synced as it is',
  'no audience': 'nothing says who sees a row',
  'over a reference': 'belongs to someone only by another row',
  'too large': 'may be too large for a device',
} as const

function summaryOf({ existing, columns, proposal, leftOut }: PlannedTable): string {
  const size = `${existing.rows === null ? '? rows' : `${existing.rows} rows`}, ${showBytes(existing.bytes)}`
  const kept =
    columns.left.length === 0 ? '' : `; stays on the server: ${columns.left.map(({ name }) => name).join(', ')}`
  if (leftOut !== null)
    return `${WHY[leftOut]}${leftOut === 'faults' ? ` (${columns.faults[0]?.split(/[,:]/)[0]})` : ''}; ${size}`
  return `${proposal.kind === 'column' ? `${proposal.prefix}:<${proposal.column}>` : ''}; ${size}${kept}`
}
