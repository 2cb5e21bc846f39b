import { definitionFault, parseDefinitionRow } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import {
  type Convert,
  conversionsOf,
  type DefinitionInForce,
  namesOfVersion,
  type VersionNames,
} from '../../protocol/index.ts'
import { sqlStateOf } from '../database/index.ts'
import type { Earlier } from './rules/earlier.ts'
import { mapEarlier } from './rules/map-earlier.ts'
import { mapMutation } from './rules/map-mutation.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'

interface Named {
  readonly version: number
  readonly names: VersionNames
}

/** The names that versions gave which this isolate has read; a version never changes. */
let read: { readonly from: number; readonly to: string; readonly named: readonly Named[] } | null = null

/** Says mutations of earlier versions in the names and types of the definition in force; others stay as they are. */
export async function mapMutations(
  query: () => Promise<Query>,
  definition: DefinitionInForce,
  mutations: readonly ParsedMutation[],
): Promise<readonly ParsedMutation[]> {
  const versionOf = ({ content }: ParsedMutation) =>
    isMutation(content) ? (content.version ?? definition.version) : definition.version
  const oldest = Math.min(...mutations.map(versionOf))
  if (mutations.length === 0 || oldest >= definition.version) return mutations
  let so = mutations
  for (const { version, names } of await namesSince(query, oldest, definition)) {
    const isEarlier = (parsed: ParsedMutation) => versionOf(parsed) < version
    if (names.size === 0 || !mutations.some(isEarlier)) continue
    const map = (convert: Convert) =>
      so.map((parsed, index): ParsedMutation => {
        const { content } = parsed
        const sent = mutations[index]
        if (sent === undefined || !isEarlier(sent) || !isMutation(content)) return parsed
        return { ...parsed, content: mapMutation(content, names, convert) }
      })
    so = map(await conversionsOf(map, async (sql, values) => convertAtServer(await query(), sql, values)))
  }
  return so
}

/**
 * Says what decided mutations left in rows in the names and types of the last of these versions, rows of
 * `sync_definition`; in the transaction of another mutation.
 */
export async function mapDecided(
  query: Query,
  decided: readonly (Earlier & { readonly version: number | null })[],
  versions: readonly DefinitionRow[],
): Promise<Earlier[]> {
  let so: Earlier[] = decided.map(({ version: _, ...earlier }) => earlier)
  for (const { version, names } of namedIn(versions)) {
    if (names.size === 0) continue
    const map = (convert: Convert) =>
      so.map((earlier, index) => {
        const said = decided[index]?.version ?? null
        return said === null || said >= version ? earlier : mapEarlier(earlier, names, convert)
      })
    so = map(await conversionsOf(map, (sql, values) => convertWithin(query, sql, values)))
  }
  return so
}

/** Converts values outside a transaction; null where the database refuses them. */
async function convertAtServer(query: Query, sql: string, values: string): Promise<(string | null)[] | null> {
  try {
    return (await query(sql, [values])).map(({ value }) => value ?? null)
  } catch (error) {
    if (!isOfValues(error)) throw error
    return null
  }
}

/** Does the same in a transaction of the author's, and leaves that as it was. */
async function convertWithin(query: Query, sql: string, values: string): Promise<(string | null)[] | null> {
  await query('SAVEPOINT tidemark_convert')
  await query('SET LOCAL search_path = pg_catalog')
  const converted = await convertAtServer(query, sql, values)
  await query('ROLLBACK TO SAVEPOINT tidemark_convert')
  await query('RELEASE SAVEPOINT tidemark_convert')
  return converted
}

/** Tells whether an error is of the values, or of types that are gone: 22… and 42…. */
const isOfValues = (error: unknown) => /^(?:22|42)/.test(sqlStateOf(error) ?? '')

async function namesSince(
  query: () => Promise<Query>,
  from: number,
  { version, hash }: DefinitionInForce,
): Promise<readonly Named[]> {
  const to = `${version} ${hash}`
  if (read === null || read.to !== to || read.from > from)
    read = { from, to, named: await readNames(query, from, version) }
  return read.named
}

async function readNames(query: () => Promise<Query>, from: number, to: number): Promise<Named[]> {
  const rows = await (await query())(
    `SELECT version::text, hash, definition::text FROM tidemark.sync_definition
     WHERE version > $1::bigint AND version <= $2::bigint ORDER BY sync_definition.version`,
    [from, to],
  )
  return namedIn(rows)
}

type DefinitionRow = Readonly<Record<string, string | null>>

function namedIn(rows: readonly DefinitionRow[]): Named[] {
  return rows.flatMap((row): Named[] => {
    // One that nobody can read never came in force.
    if (definitionFault(JSON.parse(row.definition ?? 'null')) !== null) return []
    const { version, definition, steps = [], names = [] } = parseDefinitionRow(row)
    return [{ version, names: namesOfVersion({ definition, steps: [...steps], names: [...names] }) }]
  })
}
