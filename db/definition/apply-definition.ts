import {
  type Definition,
  type DefinitionInForce,
  KEPT_AUDIENCE,
  quoteIdentifier,
  quoteTable,
  type TableDefinition,
  TidemarkError,
  writableColumns,
} from '../../protocol/index.ts'
import { checkSync, type Sync } from '../define-sync.ts'
import type { Query } from '../query.ts'
import { breaksBundles } from './breaks-bundles.ts'
import { type CatalogueTable, readCatalogue } from './catalogue.ts'
import { columnsInDoubt } from './compare-shapes.ts'
import { declaredKeysOnly, declaredNames, declaredTables } from './declared-table.ts'
import { definitionHash } from './definition-hash.ts'
import { definitionFault, readDefinitionInForce } from './definition-in-force.ts'
import { type DriftFound, findDrift } from './find-drift.ts'
import { findSteps } from './find-steps.ts'
import { PUBLISHES_GENERATED_COLUMNS_FROM } from './generated-stays.ts'
import { type Keeping, keepAudiences } from './keep-audiences.ts'
import { lockJoining } from './lock-joining.ts'
import { grantOf, lackingRights } from './needed-rights.ts'
import { OWN_SCHEMA, OWN_TABLES } from './own-tables.ts'
import { type DefinitionToBe, isAlone, type Proposal } from './propose-steps.ts'
import { type RanMigration, recordBundles } from './record-bundles.ts'
import { type Resolution, resolveDefinition } from './resolve-definition.ts'
import { type FoundShape, keepUncompared, readShapes, storeShapes } from './table-shape.ts'
import { sinceWhen } from './table-since.ts'
import { type TransactionStart, UNKNOWN_START, withoutOwnDoubts } from './transaction-start.ts'

export interface AppliedDefinition extends DefinitionInForce {
  /** True where this call put a new version in force. */
  readonly changed: boolean
  /** Alterations that made the tables capturable, one sentence each. */
  readonly notes: readonly string[]
  readonly proposal?: Proposal
}

/** Lists, with a remedy each, the parts of a definition that a replica cannot make tables of. */
export type TryDefinition = (definition: Definition) => Promise<readonly string[]>

/** The transaction that puts a definition in force, as far as it matters for how replicas and pages follow. */
export interface DefinitionChange {
  /**
   * The tables as it found them (`readStart`): those that others had altered by then are, like tables that are found altered
   * now, alone a reason for a new version.
   */
  readonly start?: TransactionStart
  /** Asked about a new definition. */
  readonly tryDefinition?: TryDefinition | undefined
  /** The app's migration that it ran. */
  readonly ran?: RanMigration | null
  /** The version before that migration, and those that came in force within it. */
  readonly within?: { readonly before: DefinitionInForce; readonly versions: readonly DefinitionInForce[] } | null
}

/** Tells whether the definition in force is the one that the app declares, of the schema as it is now. */
export async function isInForce(query: Query, sync: Sync): Promise<boolean> {
  const { definition, faults } = resolveDefinition(sync, await readCatalogue(query, declaredNames(sync)))
  if (faults.length > 0) return false
  return (await readDefinitionInForce(query))?.hash === (await definitionHash(definition))
}

/** Lists what keeps the app's definition from coming in force over the schema as it is now, one sentence each. */
export async function findFaults(query: Query, sync: Sync, tryDefinition: TryDefinition): Promise<readonly string[]> {
  await query('SET LOCAL search_path = pg_catalog')
  // The tables are as they will be when it comes in force; whoever asks takes back what was done.
  const kept = await keepAudiences(query, await ddlOf(query), declaredTables(sync))
  const resolved = resolveDefinition(sync, await readCatalogue(query, declaredNames(sync)))
  const faults = faultsOf(kept, resolved)
  return faults.length > 0 ? faults : await tryDefinition(resolved.definition)
}

/**
 * Lists the same as far as it can be seen without altering or locking anything: what Tidemark itself has yet to make, such
 * as the column of a kept audience, counts as absent.
 */
export async function foreseeFaults(
  query: Query,
  sync: Sync,
  tryDefinition: TryDefinition,
): Promise<readonly string[]> {
  await query('SET LOCAL search_path = pg_catalog')
  const { definition, faults } = resolveDefinition(sync, await readCatalogue(query, declaredNames(sync)))
  return [...faults, ...(definition.tables.length > 0 ? await tryDefinition(definition) : [])]
}

/**
 * Puts a sync definition in force: row identity, rights of the client role, publication and the stored definition.
 *
 * The file is long because whatever is put in force is looked at beforehand too, and both must say the same.
 *
 * Run it in the transaction of the migration that changed the schema, as the owner of the tables; all of it commits or
 * none. Throws `misconfigured` with every fault found, each with its remedy.
 */
export async function applyDefinition(
  query: Query,
  sync: Sync,
  change: DefinitionChange = {},
): Promise<AppliedDefinition> {
  checkSync(sync)
  await query('SET LOCAL search_path = pg_catalog')
  await query('LOCK TABLE tidemark.sync_definition IN SHARE ROW EXCLUSIVE MODE')
  // Locked before anything is read, so that the tables that were checked are those that join.
  await lockJoining(query, declaredNames(sync))
  const kept = await keepAudiences(query, await ddlOf(query), declaredTables(sync))
  const catalogue = await readCatalogue(query, declaredNames(sync))
  const resolved = resolveDefinition(sync, catalogue)
  const faults = faultsOf(kept, resolved)
  if (faults.length > 0) throw new TidemarkError('misconfigured', faults.join('\n'))
  const applied = await putInForce(query, { ...resolved, keysOnly: declaredKeysOnly(sync) }, catalogue, change)
  return { ...applied, notes: [...kept.notes, ...applied.notes] }
}

/** Where a table cannot keep its audience, that alone is told: what else it lacks is ours to make. */
function faultsOf(kept: Keeping, { faults }: Resolution): readonly string[] {
  const ours = ` has no column ${KEPT_AUDIENCE}:`
  return [...kept.faults, ...faults.filter((fault) => kept.faults.length === 0 || !fault.includes(ours))]
}

/** Does the same for a definition that is already resolved. */
export async function putInForce(
  query: Query,
  { definition, watched, keysOnly }: DefinitionToBe,
  catalogue: readonly CatalogueTable[],
  { start = UNKNOWN_START, tryDefinition = async () => [], ran = null, within = null }: DefinitionChange,
): Promise<AppliedDefinition> {
  const before = await readDefinitionInForce(query)
  const hash = await definitionHash(definition)
  const refused = before?.hash === hash ? [] : await tryDefinition(definition)
  if (refused.length > 0) throw new TidemarkError('misconfigured', refused.join('\n'))
  const ddl = await ddlOf(query)
  const compared = before === null ? new Map<string, FoundShape>() : await readShapes(query, before)
  const doubts =
    before === null ? [] : await withoutOwnDoubts(query, start, before.version, columnsInDoubt(before, compared))
  const altered = await alteredTables(query, before, definition, start.drifted)
  const notes = await setFullIdentity(query, ddl, catalogue)
  await grantColumns(query, ddl, definition.tables, before?.definition.tables ?? [])
  notes.push(...(await grantNeeded(query, ddl, definition.tables)))
  await publish(query, ddl, [...definition.tables, ...watched])
  const same =
    before?.hash === hash &&
    before.passedOver === undefined &&
    JSON.stringify([before.watched ?? [], before.keysOnly ?? []]) === JSON.stringify([watched, keysOnly])
  const uncompared = doubts
    .filter(({ table }) => altered.every((other) => other.table !== table.id))
    .map(({ table, column, compared }) => ({ table: table.id, column, compared }))
  if (same && altered.length === 0) {
    const bundles = await recordBundles(query, ran, breaksWithin(within))
    if (bundles.oldest === (before.bundles?.oldest ?? null)) {
      await storeShapes(query, before)
      await keepUncompared(query, before, uncompared)
      return { ...before, changed: false, notes }
    }
  }
  const beside = { watched, ...(keysOnly.length > 0 ? { keysOnly } : {}) }
  const [next] = await query(`SELECT nextval('tidemark.sync_definition_version_seq')::text AS version`)
  const version = Number(next?.version)
  const dated = sinceWhen(definition, version, before, new Set(altered.map(({ table }) => table)))
  const { steps, names, proposed } = await findSteps(query, start, before, dated, version, altered, compared)
  const breaks = breaksWithin(within ?? (before && { before, versions: [] }), { definition, steps })
  const bundles = await recordBundles(query, ran, breaks)
  requireReadable({ ...dated, ...beside, steps, names, bundles })
  const alone = ran === null && before !== null && isAlone(before, { definition: dated, watched, keysOnly }, proposed)
  const proposal = proposed.length > 0 ? { proposal: { isAlone: alone, steps: proposed } satisfies Proposal } : {}
  await query(
    `INSERT INTO tidemark.sync_definition (version, hash, definition) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3::jsonb)`,
    [version, hash, JSON.stringify({ ...dated, ...beside, steps, names, bundles, ...proposal })],
  )
  if (ran !== null) await query('UPDATE tidemark.app_migration SET version = $1 WHERE name = $2', [version, ran.name])
  const unplaced = altered.filter(({ placed }) => !placed).map(({ table }) => table)
  await storeShapes(query, { version, definition, watched }, unplaced)
  await keepUncompared(query, { version, definition, watched }, uncompared)
  notes.push(...altered.map(({ table, what }) => `Table ${table} ${what}.`))
  return { version, hash, definition: dated, ...beside, steps, names, bundles, changed: true, notes, ...proposal }
}

/** Tells whether a migration breaks with pages that do not know it, however many versions it makes. */
export function breaksWithin(
  within: DefinitionChange['within'],
  ...last: readonly Pick<DefinitionInForce, 'definition' | 'steps'>[]
): boolean {
  return within != null && breaksBundles(within.before.definition, [...within.versions, ...last])
}

/** Lists the tables that stay in the definition and are, or hold, something else than under the one before. */
async function alteredTables(
  query: Query,
  before: DefinitionInForce | null,
  { tables }: Definition,
  rewritten: ReadonlySet<string>,
): Promise<DriftFound[]> {
  if (before === null) return []
  // What keeps audiences was made, or taken, just now, and what that changed in rows the log tells.
  const found = (await findDrift(query, before, rewritten)).filter(({ kind }) => kind !== 'keeping')
  const others = [...rewritten].filter((id) => found.every(({ table }) => table !== id))
  const known = others.map((table) => ({ table, kind: 'rows' as const, what: 'was altered', placed: false }))
  return [...found, ...known].filter(({ table }) => tables.some(({ id }) => id === table))
}

/** Runs statements at once: what is locked meanwhile keeps others waiting for each way to the server and back. */
type Ddl = (...statements: readonly string[]) => Promise<void>

/**
 * Runs our DDL under the app's search path where event triggers of the app need it; nothing of ours is looked up by
 * that path.
 */
export async function ddlOf(query: Query): Promise<Ddl> {
  const [row] = await query(`SELECT EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D')::text AS listens`)
  return async (...statements) => {
    if (statements.length === 0) return
    if (row?.listens === 'true') await query('SET LOCAL search_path TO DEFAULT')
    await query(statements.join(';\n'))
    if (row?.listens === 'true') await query('SET LOCAL search_path = pg_catalog')
  }
}

/** Checks that the schema which every reader uses can read what is to be stored. */
function requireReadable(
  stored: Definition & Pick<DefinitionInForce, 'watched' | 'keysOnly' | 'steps' | 'names' | 'bundles'>,
): void {
  const fault = definitionFault(JSON.parse(JSON.stringify(stored)))
  if (fault !== null) throw new TidemarkError('misconfigured', `The sync definition cannot be put in force: ${fault}.`)
}

/** Without the whole old row neither a move between audiences nor an unchanged TOASTed value could be recognised. */
async function setFullIdentity(query: Query, ddl: Ddl, catalogue: readonly CatalogueTable[]): Promise<string[]> {
  const notes: string[] = []
  const statements: string[] = []
  for (const table of catalogue.filter((candidate) => !candidate.identityFull)) {
    const leaves = await query(
      `SELECT n.nspname::text AS schema, l.relname::text AS name
       FROM pg_partition_tree(format('%I.%I', $1::text, $2::text)::regclass) t
       JOIN pg_class l ON l.oid = t.relid JOIN pg_namespace n ON n.oid = l.relnamespace`,
      [table.schema, table.name],
    )
    const targets = leaves.length > 0 ? leaves : [table]
    for (const { schema, name } of targets) {
      statements.push(`ALTER TABLE ${quoteTable({ schema: schema ?? '', name: name ?? '' })} REPLICA IDENTITY FULL`)
    }
    notes.push(`Set REPLICA IDENTITY FULL on ${quoteTable(table)}.`)
  }
  await ddl(...statements)
  return notes
}

const RIGHTS = 'SELECT, INSERT, UPDATE, DELETE'

async function grantColumns(
  query: Query,
  ddl: Ddl,
  tables: readonly TableDefinition[],
  before: readonly TableDefinition[],
): Promise<void> {
  const gone = before.filter((old) => !tables.some((table) => table.id === old.id))
  for (const table of gone) {
    const [still] = await query('SELECT to_regclass($1)::text AS found', [quoteTable(table)])
    if (still?.found) await ddl(`REVOKE ${RIGHTS} ON ${quoteTable(table)} FROM tidemark_client`)
  }
  const schemas = [...new Set(tables.map((table) => table.schema))]
  const statements = schemas.map((schema) => `GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO tidemark_client`)
  for (const table of tables) {
    const columns = table.columns.map((column) => quoteIdentifier(column.name)).join(', ')
    statements.push(`REVOKE ${RIGHTS} ON ${quoteTable(table)} FROM tidemark_client`)
    statements.push(`GRANT SELECT (${columns}) ON ${quoteTable(table)} TO tidemark_client`)
    if (table.write === undefined) continue
    const written = writableColumns(table)
      .map((column) => quoteIdentifier(column.name))
      .join(', ')
    statements.push(`GRANT INSERT (${written}), UPDATE (${written}), DELETE ON ${quoteTable(table)} TO tidemark_client`)
  }
  await ddl(...statements)
}

/**
 * Grants what a write of the role uses besides its table, as far as this role may grant it; `doctor` names the rest.
 */
async function grantNeeded(query: Query, ddl: Ddl, tables: readonly TableDefinition[]): Promise<string[]> {
  const notes: string[] = []
  for (const table of tables.filter(({ write }) => write !== undefined)) {
    for (const right of await lackingRights(query, table, 'writes')) {
      if (!right.grantable) continue
      await ddl(grantOf(right))
      notes.push(`${grantOf(right)}, which writes of ${quoteTable(table)} need.`)
    }
  }
  return notes
}

/** Runs in the definition's own transaction, so that the log's tables and the definition change at one commit. */
async function publish(query: Query, ddl: Ddl, tables: readonly { schema: string; name: string }[]): Promise<void> {
  const [server] = await query(`SELECT current_setting('server_version_num') AS version`)
  if (Number(server?.version) >= PUBLISHES_GENERATED_COLUMNS_FROM) {
    // Otherwise the server refuses the app's updates of a table with full identity and a generated column that is not
    // published.
    await ddl('ALTER PUBLICATION tidemark SET (publish_generated_columns = stored)')
  }
  const own = OWN_TABLES.map(({ name }) => quoteTable({ schema: OWN_SCHEMA, name }))
  const wanted = [...new Set([...own, ...tables.map(quoteTable)])]
  const [current] = await query(
    `SELECT coalesce(json_agg(format('"%s"."%s"', replace(n.nspname, '"', '""'), replace(c.relname, '"', '""'))), '[]')::text AS tables
     FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
     JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE p.pubname = 'tidemark'`,
  )
  const published: string[] = JSON.parse(current?.tables ?? '[]')
  if (published.length === wanted.length && wanted.every((name) => published.includes(name))) return
  await ddl(`ALTER PUBLICATION tidemark SET TABLE ${wanted.join(', ')}`)
}
