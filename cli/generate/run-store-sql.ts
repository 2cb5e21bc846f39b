import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Invocation } from '../command.ts'
import { readAppMigrations } from '../migrations/app-migrations.ts'
import { applyFiles } from '../migrations/apply-migrations.ts'
import { DOWN, holdsStatement, type MigrationFile, toMigrationFile } from '../migrations/migration-file.ts'
import { printStatements } from '../migrations/report-migrations.ts'
import { runFile, runStatements } from '../migrations/run-file.ts'
import { nextName } from './migration-text.ts'
import { withScratch } from './scratch.ts'

/** A file as it will stand among the app's migrations. */
interface Stored {
  readonly path: string
  readonly text: string
  readonly file: MigrationFile
}

/** Tries a file of SQL over the app's migrations and stores it as the next one, with what takes it back beside it. */
export async function runStoreSql({ argument, values, switches }: Invocation): Promise<number> {
  const source = resolve(argument ?? '')
  const folder = join(resolve(values.folder ?? '.'), 'migrations')
  const text = readSource(source)
  const named = values.name ?? nameOf(source)
  const up = toStored(folder, nextName(folder, named), text)
  if (!holdsStatement(up.file))
    throw new TidemarkError('bad-input', `${source} holds no statement: nothing was stored.`)
  const same = (await readAppMigrations(folder)).find(({ hash }) => hash === up.file.hash)
  if (same) {
    console.log(`${same.name} holds this already: nothing to store.`)
    return 0
  }
  const down = downBeside(source, up)
  await withScratch(values['database-url'], ({ query }) => tryFiles(query, folder, up, down))
  const isTrial = switches.has('dry-run')
  if (!isTrial) mkdirSync(folder, { recursive: true })
  for (const stored of down ? [up, down] : [up]) {
    if (!isTrial) writeFileSync(stored.path, stored.text, { flag: 'wx' })
    console.log(`${isTrial ? 'Would write' : 'Wrote'} ${relative(process.cwd(), stored.path)}:`)
    printStatements(stored.file)
  }
  console.log(isTrial ? 'Nothing was stored.' : 'tidemark migration:run --dry-run says what replicas will do.')
  return 0
}

function readSource(source: string): string {
  if (!source.endsWith('.sql') || source.endsWith(DOWN))
    throw new TidemarkError(
      'bad-input',
      `${source} is not what a migration is stored of: give a file that ends in .sql.`,
    )
  if (!existsSync(source) || !statSync(source).isFile())
    throw new TidemarkError('bad-input', `There is no file ${source}.`)
  return readFileSync(source, 'utf8')
}

/** Names a migration after its file, without the number that it has where it comes from. */
const nameOf = (source: string): string =>
  basename(source, '.sql')
    .replaceAll(/[^\w-]+/g, '-')
    .replace(/^\d+[-_]+(?=.)/, '')

const toStored = (folder: string, name: string, text: string): Stored => ({
  path: join(folder, name),
  text,
  file: toMigrationFile(name, text),
})

function downBeside(source: string, up: Stored): Stored | null {
  const beside = source.replace(/\.sql$/, DOWN)
  if (!existsSync(beside)) return null
  return toStored(join(up.path, '..'), up.file.name.replace(/\.sql$/, DOWN), readFileSync(beside, 'utf8'))
}

/** Each file is a transaction of its own, as in a run. */
async function tryFiles(query: Query, folder: string, up: Stored, down: Stored | null): Promise<void> {
  await applyFiles(query, folder)
  const inTransaction = async (run: () => Promise<void>) => {
    await query('BEGIN')
    await run()
    await query('COMMIT')
  }
  await inTransaction(() => runFile(query, up.file))
  if (down) await inTransaction(() => runStatements(query, down.file))
}
