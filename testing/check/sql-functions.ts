import { join } from 'node:path'
import { PGlite, type Transaction } from '@electric-sql/pglite'
import { type MigrationFile, readMigrationFiles } from '../../cli/migrations/migration-file.ts'

export const MIGRATIONS = join(import.meta.dirname, '../../migrations')
const FUNCTIONS = join(import.meta.dirname, '../../db/functions')

/** A function or procedure of schema `tidemark` that migrations and files do not make alike. */
interface FunctionDifference {
  /** Its name with its types, as `tidemark.open_push(text,text,bigint)`, because functions of one name share a file. */
  readonly signature: string
  readonly name: string
  readonly differs: 'text' | 'rights' | 'comment' | 'only in migrations' | 'only in its file'
}

interface Routine {
  readonly signature: string
  readonly name: string
  readonly text: string
  readonly rights: string
  readonly comment: string | null
}

/** Postgres keeps rights that nobody has touched as NULL, which stands for those of `acldefault`. */
const ROUTINES = `
  SELECT p.oid::regprocedure::text AS signature, p.proname AS name, pg_get_functiondef(p.oid) AS text,
    (SELECT array_agg(one.item::text ORDER BY one.item::text)
      FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) AS one(item))::text AS rights,
    obj_description(p.oid, 'pg_proc') AS comment
  FROM pg_proc AS p WHERE p.pronamespace = 'tidemark'::regnamespace ORDER BY 1`
const CREATES = /^CREATE OR REPLACE (?:FUNCTION|PROCEDURE) tidemark\.(\w+)/gm
const SEPARATOR = '\n--> statement-breakpoint\n'

const nameOf = (file: MigrationFile) => file.name.replace(/\.sql$/, '')

export function readFunctionFiles(): MigrationFile[] {
  return readMigrationFiles(FUNCTIONS)
}

/** Opens a fresh database as the migrations make it. */
export async function openMigrated(): Promise<PGlite> {
  const db = await PGlite.create()
  for (const migration of readMigrationFiles(MIGRATIONS)) await runStatements(db, migration)
  return db
}

/** Runs the statements one by one, as `tidemark migrate` does. */
export async function runStatements(db: PGlite | Transaction, { statements }: MigrationFile): Promise<void> {
  for (const statement of statements) await db.exec(statement)
}

/** Reports files that define another function than the one they are named after, or none. */
export function misplacedFunctions(files: readonly MigrationFile[]): string[] {
  return files.flatMap((file) => {
    const defined = file.statements.flatMap((statement) => [...statement.matchAll(CREATES)].map(([, name]) => name))
    if (defined.length > 0 && defined.every((name) => name === nameOf(file))) return []
    return [
      `db/functions/${file.name} defines ${defined.join(', ') || 'nothing'}: ` +
        'it holds CREATE OR REPLACE of the function that it is named after, and of no other.',
    ]
  })
}

/** Compares a database's functions with those that the files alone make, and leaves the database as it was. */
export async function compareFunctions(db: PGlite, files: readonly MigrationFile[]): Promise<FunctionDifference[]> {
  const migrated = await readRoutines(db)
  const filed = await db.transaction(async (tx) => {
    // A replaced function keeps its rights and its comment, so all go first; then a file that leaves these out shows.
    await tx.exec(`DROP ROUTINE ${[...migrated.keys()].join(', ')} CASCADE`)
    // One function may call another whose file comes later.
    await tx.exec('SET LOCAL check_function_bodies = off')
    // The files run twice, because in a migration they meet functions that are there.
    for (const file of [...files, ...files]) await runStatements(tx, file)
    const routines = await readRoutines(tx)
    await tx.rollback()
    return routines
  })
  return [...new Map([...migrated, ...filed]).values()].flatMap(({ signature, name }) => {
    const differs = differenceOf(migrated.get(signature), filed.get(signature))
    return differs === null ? [] : [{ signature, name, differs }]
  })
}

async function readRoutines(db: PGlite | Transaction): Promise<Map<string, Routine>> {
  const { rows } = await db.query<Routine>(ROUTINES)
  return new Map(rows.map((routine) => [routine.signature, routine]))
}

function differenceOf(migrated: Routine | undefined, filed: Routine | undefined): FunctionDifference['differs'] | null {
  if (filed === undefined) return 'only in migrations'
  if (migrated === undefined) return 'only in its file'
  return (['text', 'rights', 'comment'] as const).find((part) => migrated[part] !== filed[part]) ?? null
}

/** Describes which function differs, and the remedy. */
export function describeDifference(
  { signature, name, differs }: FunctionDifference,
  remedy = 'Make the next migration of the files: node testing/check/make-functions-migration.ts <name>',
): string {
  const file = `db/functions/${name}.sql`
  if (differs === 'only in migrations')
    return `${signature} is in no file: write it to ${file}, or let it go. ${remedy}`
  if (differs === 'only in its file') return `${signature} is made by no migration, only by ${file}. ${remedy}`
  return `${signature}: the migrations and ${file} differ in its ${differs}. ${remedy}`
}

/** Makes a migration that leaves the database's functions as the files have them; null where they are so already. */
export function toFunctionsMigration(
  differences: readonly FunctionDifference[],
  files: readonly MigrationFile[],
): string | null {
  if (differences.length === 0) return null
  const isGone = ({ differs }: FunctionDifference) => differs === 'only in migrations'
  const changed = new Set(differences.filter((difference) => !isGone(difference)).map(({ name }) => name))
  const drops = differences.filter(isGone).map(({ signature }) => `DROP ROUTINE ${signature};`)
  const texts = files.filter((file) => changed.has(nameOf(file))).flatMap(({ statements }) => statements)
  return `${[...drops, ...texts].join(SEPARATOR)}\n`
}
