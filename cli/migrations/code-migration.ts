import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'
import type { Parameter } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { importTypeScript } from '../app/load-module.ts'
import { hashOf, type MigrationFile, readCompatibility, refuseTransactions } from './migration-file.ts'

/** The part of a migration class of TypeORM that is run here. */
interface CodeMigration {
  up(runner: object): unknown
  down(runner: object): unknown
}

interface Recorded {
  readonly text: string
  readonly parameters: readonly Parameter[]
}

/** A migration imports only types of TypeORM as a rule; whatever else it takes from there it cannot use here. */
const withoutTypeorm: Plugin = {
  name: 'without-typeorm',
  setup(build) {
    build.onResolve({ filter: /^typeorm$/ }, () => ({ path: 'node_modules/typeorm', namespace: 'absent' }))
    build.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {}', loader: 'js' }))
  },
}

/**
 * Reads a migration class of TypeORM: it is run without a database, and what it asks of `queryRunner.query` are the
 * statements, parameters included. Throws `bad-input` for one that asks anything else, or reads an answer.
 */
export async function readCodeMigration(
  folder: string,
  name: string,
  direction: 'up' | 'down' = 'up',
): Promise<MigrationFile> {
  const path = join(folder, name)
  const text = readFileSync(path, 'utf8')
  const migration = await loadMigration(path, name)
  const recorded: Recorded[] = []
  try {
    await migration[direction](recorderOf(name, recorded))
  } catch (error) {
    if (error instanceof TidemarkError) throw error
    const said = error instanceof Error ? error.message : String(error)
    throw new TidemarkError('bad-input', `${direction}() of ${name} failed before any database was asked: ${said}`, {
      cause: error,
    })
  }
  const statements = recorded.map((one) => one.text)
  refuseTransactions(name, statements.join(';\n'))
  const parameters = recorded.map((one) => one.parameters)
  return { name, hash: hashOf(text), statements, parameters, compatibility: readCompatibility(name, text) }
}

async function loadMigration(path: string, name: string): Promise<CodeMigration> {
  const { exported } = await importTypeScript(path, { plugins: [withoutTypeorm] })
  const candidates = [...Object.values(exported), ...Object.values((exported.default as object | undefined) ?? {})]
  const classes = [...new Set(candidates)].filter(
    (value): value is new () => CodeMigration =>
      typeof value === 'function' &&
      typeof value.prototype?.up === 'function' &&
      typeof value.prototype.down === 'function',
  )
  const [only] = classes
  if (only === undefined || classes.length > 1) {
    throw new TidemarkError(
      'bad-input',
      `${name} is a migration by code, and not one class with up() and down(), as TypeORM has it: write what it does into ` +
        'a file .sql, or let its own tool run it, from another folder, before this.',
    )
  }
  return new only()
}

/** Stands for TypeORM's QueryRunner, of which only the statements are wanted. */
function recorderOf(name: string, recorded: Recorded[]): object {
  const query = async (text: unknown, parameters: unknown): Promise<object> => {
    if (typeof text !== 'string') throw new TidemarkError('bad-input', `${name} calls query() without a text.`)
    recorded.push({ text: text.trim(), parameters: parametersOf(name, parameters) })
    return answerOf(name)
  }
  return new Proxy(
    {},
    {
      get(_, key) {
        if (key === 'query') return query
        throw new TidemarkError(
          'bad-input',
          `${name} uses queryRunner.${String(key)}, and only query() can be recorded without a database: write what it does as SQL.`,
        )
      },
    },
  )
}

/** Stands for the rows that a statement answers, of which nothing is known. */
function answerOf(name: string): object {
  return new Proxy(
    {},
    {
      get(_, key) {
        // A promise asks of whatever it resolves with whether that is another one.
        if (key === 'then') return undefined
        throw new TidemarkError(
          'bad-input',
          `${name} reads what a query answers, and a migration is recorded without a database: decide in SQL, by DO or WHERE.`,
        )
      },
    },
  )
}

function parametersOf(name: string, given: unknown): readonly Parameter[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) {
    throw new TidemarkError('bad-input', `${name} names parameters: number them, as $1 with a list of values.`)
  }
  return given.map((value: unknown): Parameter => {
    if (value === undefined || value === null) return null
    if (value instanceof Date) return value.toISOString()
    if (typeof value === 'bigint') return String(value)
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
    if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
    return JSON.stringify(value)
  })
}
