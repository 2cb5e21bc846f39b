import type { Transaction as PGliteTransaction } from '@electric-sql/pglite'
import * as z from 'zod/mini'
import {
  type DefinitionInForce,
  definitionSchema,
  type Lsn,
  type Manifest,
  manifestSchema,
  type PgSnapshot,
  parsePgSnapshot,
  quoteLiteral,
  retypeSchema,
  tableDefinitionSchema,
  type VersionNames,
} from '../../protocol/index.ts'
import { lsnSchema } from '../../protocol/lsn-schema.ts'
import { heldTables, type Refused } from './held-tables.ts'
import type { Place, ReplicaTables } from './replica-table.ts'

/** Either the database or a transaction on it. */
export type Executor = Pick<PGliteTransaction, 'query' | 'exec'>

/**
 * `loading`: chunks are missing; `window`: streaming towards the fences; `joined`: whole; `broken`: to be loaded anew.
 * `adding` and `joining` are the first two of granted audiences alone, which lie aside until they join what is shown.
 */
const stageSchema = z.enum(['loading', 'window', 'joined', 'broken', 'adding', 'joining'])
export type CopyStage = z.infer<typeof stageSchema>

/** The place at which one audience's snapshot joins the stream. */
export interface AudienceJoin {
  readonly audience: string
  readonly start: Lsn
  readonly fence: Lsn
  readonly snapshot: PgSnapshot
}

export type AudienceJoins = ReadonlyMap<string, AudienceJoin>

/** One copy of the synced rows: what it holds and how far it is. */
export interface Copy {
  readonly place: Place
  readonly stage: CopyStage
  readonly epoch: string
  readonly cursor: Lsn
  readonly rows: number
  readonly definition: DefinitionInForce
  /** The tables of the definition that are not among `tables`, because they cannot be held here. */
  readonly refused: Refused
  /**
   * Ids of tables that wait to be loaded anew for a later version of their own: they are shown as they were, or not at
   * all, and changes of them are passed over. While there are any, the definition is the one by which this copy is made
   * and none that the server ever had.
   */
  readonly behind: ReadonlySet<string>
  /**
   * What became of names since those in which work on tables is said that were not followed: tables that are behind, and
   * all tables while the copy is on its way to its join. Work in progress is mapped by them when their rows are there.
   */
  readonly owed: VersionNames
  readonly tables: ReplicaTables
  /** In the order in which their rows are loaded: of two snapshots, the later one last. */
  readonly joins: AudienceJoins
  /** Kept while the copy is loading. */
  readonly manifests: readonly Manifest[]
}

/** Answers whether the app may write to this copy, so that pending work lies on its rows. */
export function isShown({ place, stage }: Pick<Copy, 'place' | 'stage'>): boolean {
  return place === 'live' && stage === 'joined'
}

const copyRowSchema = z.object({
  place: z.enum(['live', 'aside']),
  stage: stageSchema,
  epoch: z.string(),
  cursor: lsnSchema,
  rows: z.coerce.number(),
  version: z.number(),
  hash: z.string(),
  definition: z.string(),
  changed: z.string(),
})

const conversionSchema = z.nullable(
  z.array(z.union([retypeSchema, z.object({ labels: z.record(z.string(), z.string()) })])),
)

const storedNamesSchema = z.object({
  from: z.string(),
  table: z.string(),
  columns: z.array(z.tuple([z.string(), z.string()])),
  filled: z.record(z.string(), z.nullable(z.string())),
  labels: z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.string()]))])),
  retyped: z._default(z.array(z.tuple([z.string(), conversionSchema])), []),
})

const storedDefinitionSchema = z.extend(definitionSchema, {
  refused: z._default(z.record(z.string(), z.string()), {}),
  behind: z._default(z.array(z.string()), []),
  owed: z._default(z.array(storedNamesSchema), []),
})

const audienceRowSchema = z.object({
  audience: z.string(),
  start: lsnSchema,
  fence: lsnSchema,
  snapshot: z.string(),
  manifest: z.nullable(z.string()),
})

export async function readCopies(db: Executor): Promise<Copy[]> {
  const { rows } = await db.query('SELECT * FROM tidemark.copy')
  return Promise.all(rows.map((row) => readCopy(db, copyRowSchema.parse(row))))
}

/** Reads a definition as it is stored, with the tables of it that were changed since. */
export function readDefinition({ definition, changed }: { readonly definition: string; readonly changed: string }) {
  const { tables, ...rest } = storedDefinitionSchema.parse(JSON.parse(definition))
  const later = new Map(
    changed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => tableDefinitionSchema.parse(JSON.parse(line)))
      .map((table) => [table.id, table]),
  )
  return { ...rest, tables: tables.map((table) => later.get(table.id) ?? table) }
}

/** Answers the tables that a later copy has otherwise, as lines for `changed`; null where more than tables is other. */
export function changedTables(before: Copy, after: Copy): string | null {
  const [old, now] = [before.definition.definition, after.definition.definition]
  const isSame = JSON.stringify(old.types) === JSON.stringify(now.types) && old.tables.length === now.tables.length
  if (!isSame || now.tables.some(({ id }, index) => id !== old.tables[index]?.id)) return null
  const lines = now.tables.map((table) => JSON.stringify(table))
  return lines.filter((line, index) => line !== JSON.stringify(old.tables[index])).join('\n')
}

async function readCopy(db: Executor, row: z.infer<typeof copyRowSchema>): Promise<Copy> {
  const { rows } = await db.query('SELECT * FROM tidemark.audience WHERE place = $1 ORDER BY load_order', [row.place])
  const audiences = rows.map((audience) => audienceRowSchema.parse(audience))
  const { refused, behind, owed, ...definition } = readDefinition(row)
  return {
    place: row.place,
    stage: row.stage,
    epoch: row.epoch,
    cursor: row.cursor,
    rows: row.rows,
    definition: { version: row.version, hash: row.hash, definition },
    refused,
    behind: new Set(behind),
    owed: readNames(owed),
    tables: heldTables(definition, refused, row.place),
    joins: new Map(
      audiences.map(({ audience, start, fence, snapshot }): [string, AudienceJoin] => [
        audience,
        { audience, start, fence, snapshot: parsePgSnapshot(snapshot) },
      ]),
    ),
    manifests: audiences.flatMap(({ manifest }) =>
      manifest === null ? [] : [manifestSchema.parse(JSON.parse(manifest))],
    ),
  }
}

/** Records a copy that is about to be loaded from these manifests, in load order. */
export async function insertCopy(
  tx: Executor,
  copy: {
    place: Place
    stage: CopyStage
    epoch: string
    cursor: Lsn
    definition: DefinitionInForce
    refused?: Refused
    owed?: VersionNames
    manifests: readonly Manifest[]
  },
): Promise<void> {
  const { version, hash, definition } = copy.definition
  await deleteCopy(tx, copy.place)
  await tx.exec('DELETE FROM tidemark.loaded_chunk')
  await tx.query(
    `INSERT INTO tidemark.copy (place, stage, epoch, cursor, rows, version, hash, definition) VALUES ($1, $2, $3, $4, 0, $5, $6, $7)`,
    [
      copy.place,
      copy.stage,
      copy.epoch,
      copy.cursor,
      version,
      hash,
      storedDefinition(definition, { refused: copy.refused ?? {}, owed: copy.owed }),
    ],
  )
  for (const [order, manifest] of copy.manifests.entries()) {
    await tx.query(
      `INSERT INTO tidemark.audience (place, audience, load_order, start, fence, snapshot, manifest) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [
        copy.place,
        manifest.audience,
        order,
        manifest.start,
        manifest.fence,
        manifest.snapshot,
        JSON.stringify(manifest),
      ],
    )
  }
}

/** The parts of a definition that are otherwise in a copy. */
export interface Exceptions {
  readonly refused: Refused
  readonly behind?: ReadonlySet<string>
  readonly owed?: VersionNames | undefined
}

const storedDefinition = (definition: DefinitionInForce['definition'], { refused, behind, owed }: Exceptions) =>
  JSON.stringify({ ...definition, refused, behind: [...(behind ?? [])], owed: storedNames(owed ?? new Map()) })

const storedNames = (names: VersionNames): z.infer<typeof storedNamesSchema>[] =>
  [...names].map(([from, { table, columns, filled, labels, retyped }]) => ({
    from,
    table,
    columns: [...columns],
    filled,
    labels: [...labels].map(([column, renamed]) => [column, [...renamed]]),
    retyped: [...retyped].map(([column, stages]) => [column, stages && [...stages]]),
  }))

const readNames = (stored: readonly z.infer<typeof storedNamesSchema>[]): VersionNames =>
  new Map(
    stored.map(({ from, table, columns, filled, labels, retyped }) => [
      from,
      {
        table,
        columns: new Map(columns),
        filled,
        labels: new Map(labels.map(([column, renamed]) => [column, new Map(renamed)])),
        retyped: new Map(retyped),
      },
    ]),
  )

/** Records the definition of a copy, the tables of it that cannot be held, and those that are behind. */
export async function writeDefinition(
  tx: Executor,
  place: Place,
  { version, hash, definition }: DefinitionInForce,
  exceptions: Exceptions,
): Promise<void> {
  await tx.query(`UPDATE tidemark.copy SET version = $2, hash = $3, definition = $4, changed = '' WHERE place = $1`, [
    place,
    version,
    hash,
    storedDefinition(definition, exceptions),
  ])
}

/**
 * Writes the statement that records where a copy is, how many rows it has, and all that `writeDefinition` records of it. It
 * goes with the statements that change the tables, because each call of the database costs as much as a small statement.
 */
export function copyStatement(copy: Copy): string {
  const { place, cursor, rows, definition } = copy
  const { version, hash } = definition
  const [its, of, text] = [cursor, hash, storedDefinition(definition.definition, copy)].map(quoteLiteral)
  return `UPDATE tidemark.copy SET cursor = ${its}, rows = ${rows}, version = ${version}, hash = ${of}, definition = ${text}, changed = ''
    WHERE place = ${quoteLiteral(place)};`
}

export async function deleteCopy(tx: Executor, place: Place): Promise<void> {
  await tx.query('DELETE FROM tidemark.copy WHERE place = $1', [place])
  await tx.query('DELETE FROM tidemark.audience WHERE place = $1', [place])
}

export async function setStage(tx: Executor, place: Place, stage: CopyStage): Promise<void> {
  await tx.query('UPDATE tidemark.copy SET stage = $2 WHERE place = $1', [place, stage])
}
