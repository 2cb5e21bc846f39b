import { definitionFault, parseDefinitionRow } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import { type DefinitionInForce, namesOfVersion, type VersionNames } from '../../protocol/index.ts'
import { mapMutation } from './rules/map-mutation.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'

interface Named {
  readonly version: number
  readonly names: VersionNames
}

/** The names that versions gave which this isolate has read; a version never changes. */
let read: { readonly from: number; readonly to: string; readonly named: readonly Named[] } | null = null

/** Says mutations of earlier versions in the names of the definition in force; others stay as they are. */
export async function mapMutations(
  query: () => Promise<Query>,
  definition: DefinitionInForce,
  mutations: readonly ParsedMutation[],
): Promise<readonly ParsedMutation[]> {
  const versionOf = ({ content }: ParsedMutation) =>
    isMutation(content) ? (content.version ?? definition.version) : definition.version
  const oldest = Math.min(...mutations.map(versionOf))
  if (mutations.length === 0 || oldest >= definition.version) return mutations
  const named = await namesSince(query, oldest, definition)
  return mutations.map((parsed) => {
    const version = versionOf(parsed)
    if (!isMutation(parsed.content) || version >= definition.version) return parsed
    const since = named.filter((one) => one.version > version && one.names.size > 0).map(({ names }) => names)
    return since.length === 0 ? parsed : { ...parsed, content: mapMutation(parsed.content, since) }
  })
}

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
  return rows.flatMap((row): Named[] => {
    // One that nobody can read never came in force.
    if (definitionFault(JSON.parse(row.definition ?? 'null')) !== null) return []
    const { version, definition, steps = [] } = parseDefinitionRow(row)
    return [{ version, names: namesOfVersion({ definition, steps: [...steps] }) }]
  })
}
