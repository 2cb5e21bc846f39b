import { z } from 'zod'
import { bundlesOf } from '../../db/definition/definition-in-force.ts'
import { type Proposal, proposalSchema } from '../../db/definition/propose-steps.ts'
import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, maxLsn, parsePgLsn, tableStepSchema } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { CaptureState, CaptureStore } from './capture-state.ts'
import { placeVersion, type VersionPlace } from './rules/place-version.ts'
import { onceSeen } from './schema-check.ts'
import type { CycleFacts } from './server-facts.ts'
import { findToldRows } from './told-rows.ts'

/** The version after the one that capture reads by, where that follows tables that others altered. */
export interface NextVersion {
  readonly version: number
  readonly hash: string
  /** What history tells of it, as JSON text. */
  readonly bundles: string
  /** Ids of altered tables that replicas make from what they have, so that no row of them is passed over. */
  readonly replayed: ReadonlySet<string>
  /** End of the transaction before which it comes in force; null: with the transaction that stores it. */
  readonly before: Lsn | null
}

const storedSchema = z.object({
  steps: z.array(tableStepSchema).default([]),
  names: z.array(tableStepSchema).default([]),
  proposal: z.optional(proposalSchema),
  replayed: z.object({ tables: z.array(z.string()), before: z.string().nullable() }).optional(),
})

type Stored = z.infer<typeof storedSchema>

const PENDING = `
  SELECT version::text, hash, definition::text FROM tidemark.sync_definition
  WHERE version > $1::bigint ORDER BY sync_definition.version LIMIT 1`

/** Rows of their tables may have been passed over by the time that capture reaches them. */
const FORGET_LATER = `
  UPDATE tidemark.sync_definition SET definition = definition - 'proposal' WHERE version > $1::bigint AND definition ? 'proposal'`

const DECIDE = `
  UPDATE tidemark.sync_definition SET definition = (definition - 'proposal') || $2::jsonb WHERE version = $1::bigint`

/**
 * Reads the version that comes after the one in force at capture's place, once per cycle and before anything is decoded.
 * Where steps were proposed with it, the log decides on them now, for good: all that is waiting is decoded once more.
 *
 * Null where nothing is pending that others altered. Throws `unavailable` where the log does not tell of it yet.
 */
export async function readNextVersion(
  database: Database,
  store: CaptureStore,
  slotName: string,
  state: Pick<CaptureState, 'epoch' | 'definition' | 'capturedTo'>,
  { unplaced }: CycleFacts,
): Promise<NextVersion | null> {
  const at = state.definition.version
  if (!Object.values(unplaced).some((version) => version > at)) return null
  const [row] = await database.query(PENDING, [at])
  const stored = storedSchema.safeParse(JSON.parse(row?.definition ?? 'null')).data
  const version = Number(row?.version)
  await database.query(FORGET_LATER, [row ? version : at])
  if (row === undefined || stored === undefined) return null
  const { proposal } = stored
  const replayed = proposal
    ? await decide(database, version, stored, await placeByLog(database.query, slotName, state, version, proposal))
    : await withoutContradicted(database, store, version, stored)
  trust(store, replayed.tables)
  return {
    version,
    hash: row.hash ?? '',
    bundles: JSON.stringify({ bundles: bundlesOf(row.definition) }),
    replayed: new Set(replayed.tables),
    before: replayed.before,
  }
}

const NOTHING: VersionPlace = { tables: [], before: null }

async function placeByLog(
  query: Query,
  slotName: string,
  { epoch, definition, capturedTo }: Pick<CaptureState, 'epoch' | 'definition' | 'capturedTo'>,
  version: number,
  { isAlone, steps }: Proposal,
): Promise<VersionPlace> {
  const tables = steps.flatMap(({ relation, step }) => {
    const table = definition.definition.tables.find(({ id }) => id === step.table)
    return table ? [{ schema: table.schema, name: table.name, relation }] : []
  })
  if (tables.length !== steps.length) return NOTHING
  const above = maxLsn(epoch.headLsn, capturedTo)
  const wanted = { slotName, decoder: epoch.decoder, tables, above, version }
  const told = await onceSeen(() => findToldRows(query, wanted))
  return placeVersion({ isAlone, steps: steps.map((step) => ({ ...step, seen: parsePgLsn(step.seenAt) })) }, told)
}

/** Puts on record what replicas do; in history the version is not told of yet. */
async function decide(database: Database, version: number, stored: Stored, place: VersionPlace): Promise<VersionPlace> {
  const { proposal, steps, names } = stored
  const taken = (proposal?.steps ?? []).flatMap(({ step }) => (place.tables.includes(step.table) ? [step] : []))
  const rest = names.filter(({ table }) => !place.tables.includes(table))
  const before = place.before === null ? null : formatPgLsn(place.before)
  await write(database, version, {
    steps: [...steps, ...taken],
    names: rest,
    replayed: { tables: [...place.tables], before },
  })
  return place
}

/**
 * Takes back the steps of tables whose rows turned out to contradict them: they are distrusted once more, or capture was
 * stopped before it trusted them.
 */
async function withoutContradicted(
  database: Database,
  store: CaptureStore,
  version: number,
  { steps, names, replayed }: Stored,
): Promise<VersionPlace> {
  if (replayed === undefined) return NOTHING
  const { distrusted } = store.read()
  const tables = replayed.tables.filter((table) => !distrusted.includes(table))
  const place = { tables, before: replayed.before === null ? null : parsePgLsn(replayed.before) }
  if (tables.length === replayed.tables.length) return place
  const isTakenBack = ({ table }: { table: string }) => replayed.tables.includes(table) && !tables.includes(table)
  await write(database, version, {
    steps: steps.filter((step) => !isTakenBack(step)),
    names: [...names, ...steps.filter(isTakenBack)],
    replayed: { ...replayed, tables },
  })
  return place
}

async function write(database: Database, version: number, decided: Omit<Stored, 'proposal'>): Promise<void> {
  await database.query(DECIDE, [version, JSON.stringify(decided)])
}

/** Their rows are told again, now that it is known by which version each is. */
function trust(store: CaptureStore, tables: readonly string[]): void {
  const memory = store.read()
  const distrusted = memory.distrusted.filter((table) => !tables.includes(table))
  if (distrusted.length < memory.distrusted.length) store.write({ ...memory, distrusted })
}
