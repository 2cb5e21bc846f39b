import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'
import type { Parameter } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { textArray } from '../../workers/database/index.ts'
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
 * statements, parameters included. Throws `bad-input` for one that asks anything else, reads an answer, or ends before
 * it has asked all.
 */
export async function readCodeMigration(
  folder: string,
  name: string,
  direction: 'up' | 'down' = 'up',
): Promise<MigrationFile> {
  const path = join(folder, name)
  const text = readFileSync(path, 'utf8')
  const record = await recordStatements(await loadMigration(path, name), name, direction)
  const said = record.filter((one) => one.text !== '')
  const recorded = needsExtension(said) ? [UUID_EXTENSION, ...said] : said
  const statements = recorded.map((one) => one.text)
  for (const statement of statements) refuseTransactions(name, statement)
  const parameters = recorded.map((one) => one.parameters)
  return { name, hash: hashOf(text), statements, parameters, compatibility: readCompatibility(name, text) }
}

/** TypeORM makes it by itself as it connects, and its classes rely on that. Rule CLI-R52. */
const UUID_EXTENSION: Recorded = { text: 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"', parameters: [] }

const needsExtension = (recorded: readonly Recorded[]) =>
  recorded.some(({ text }) => /\buuid_generate_v4\(/.test(text)) &&
  !recorded.some(({ text }) => /\bCREATE\s+EXTENSION\b[^;]*\buuid-ossp\b/i.test(text))

async function recordStatements(
  migrationClass: new () => CodeMigration,
  name: string,
  direction: 'up' | 'down',
): Promise<readonly Recorded[]> {
  const recorded: Recorded[] = []
  const refused: TidemarkError[] = []
  // A refusal counts also where the migration catches it, or does not wait for it.
  const refuse = (what: string): TidemarkError => {
    const error = new TidemarkError('bad-input', `${name} ${what}`)
    refused.push(error)
    return error
  }
  try {
    await new migrationClass()[direction](recorderOf(recorded, refuse))
    const { length } = recorded
    await new Promise((resolve) => setImmediate(resolve))
    if (recorded.length > length)
      refuse(`does not wait for all of its queries in ${direction}(): await each, in a loop for…of and not forEach().`)
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    const failed = `${direction}() of ${name} failed before any database was asked: ${said}`
    throw refused[0] ?? new TidemarkError('bad-input', failed, { cause: error })
  }
  const [first] = refused
  if (first !== undefined) throw first
  return recorded
}

async function loadMigration(path: string, name: string): Promise<new () => CodeMigration> {
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
  return only
}

type Refuse = (what: string) => TidemarkError

/** Stands for TypeORM's QueryRunner, of which only the statements are wanted. */
function recorderOf(recorded: Recorded[], refuse: Refuse): object {
  const query = (text: unknown, parameters: unknown): Promise<object> => {
    if (typeof text !== 'string') throw refuse('calls query() without a text.')
    recorded.push({ text: text.trim(), parameters: parametersOf(refuse, parameters) })
    return Promise.resolve(answerOf(refuse))
  }
  return new Proxy(
    {},
    {
      get(_, key) {
        if (key === 'query') return query
        if (key === ASKED_OF_A_VALUE) return undefined
        throw refuse(
          `uses queryRunner.${String(key)}, and only query() can be recorded without a database: write what it does as SQL.`,
        )
      },
    },
  )
}

/** A promise asks of whatever it resolves with whether that is another one. */
const ASKED_OF_A_VALUE = 'then'

/** Stands for the rows that a statement answers, of which nothing is known. */
function answerOf(refuse: Refuse): object {
  const read = (): never => {
    throw refuse(
      'reads what a query answers, and a migration is recorded without a database: decide in SQL, by DO or WHERE.',
    )
  }
  const get = (_: object, key: string | symbol) => (key === ASKED_OF_A_VALUE ? undefined : read())
  return new Proxy({}, { get, has: read, ownKeys: read, getOwnPropertyDescriptor: read })
}

function parametersOf(refuse: Refuse, given: unknown): readonly Parameter[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw refuse('names parameters: number them, as $1 with a list of values.')
  return given.map(toParameter)
}

/** Writes a value as the driver that TypeORM uses does: a list is an array of Postgres, any other object is JSON. */
function toParameter(value: unknown): Parameter {
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return arrayText(value)
  return JSON.stringify(value)
}

function arrayText(values: readonly unknown[]): string {
  if (values.some(Array.isArray)) return `{${values.map((value) => arrayText(value as unknown[])).join(',')}}`
  const elements = values.map(toParameter)
  return textArray(elements.map((element) => (element === null ? null : String(element))))
}
