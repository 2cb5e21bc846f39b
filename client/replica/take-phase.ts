import { z } from 'zod'
import {
  mapKeys,
  mapPatch,
  mapPredicted,
  namesOfVersion,
  patchRowSchema,
  predictedChangeSchema,
  quoteTable,
  type Rejection,
  type VersionNames,
} from '../../protocol/index.ts'
import { sealNew } from '../mutations/seal.ts'
import { type Copy, type Executor, writeDefinition } from '../store/copies.ts'
import { replaceTables, retiredName } from '../store/definition-ddl.ts'
import { heldDefinition, heldTables } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import { IS_UNSETTLED } from '../store/outbox-ddl.ts'
import { TELL_LIVE_QUERIES } from '../store/server-rows.ts'
import { type Altering, labelStatements, steppedTable, stepStatements } from '../store/step-ddl.ts'
import { dropViews, putBack, readOwnObjects, takeDownViews } from './hanging.ts'
import { countRows, ensurePrimaryKeys, finish } from './join.ts'
import type { Held, Phase } from './rules/plan-versions.ts'

/** Answers whether nothing pending may lie on the rows while this phase is taken. */
export const isUnderRows = ({ changes, gone }: Phase): boolean => gone.length > 0 || changes.length > 0

/** Answers what a copy has, as versions are planned from it. */
export function heldBy({ definition, refused, behind }: Copy): Held {
  return {
    version: definition.version,
    definition: heldDefinition(definition.definition, refused),
    behind: new Set([...behind, ...Object.keys(refused)]),
  }
}

/** What a phase left: the copy, and mutations of which nothing is left to do. */
export interface Taken {
  readonly copy: Copy
  readonly emptied: ReadonlyMap<number, Rejection>
}

/**
 * Makes the live tables those of the next version, in the transaction that brings the cursor to its place. Rule MIG-R2.
 *
 * Call it with nothing pending on the rows where `isUnderRows`. Throws what the database says of a step that it cannot take.
 */
export async function takePhase(tx: Executor, live: Copy, phase: Phase, warn: (loss: string) => void): Promise<Taken> {
  // Writes captured so far are sealed before, so that they keep their meaning.
  await sealNew(tx, live.tables)
  const { definition } = heldBy(live)
  const altering = phase.changes.flatMap(({ before, after, step }): Altering[] =>
    before === null ? [] : [{ before, after, step }],
  )
  const after = phase.inForce.definition
  const { gone } = phase
  let rows = live.rows
  const own = await readOwnObjects(tx, definition.tables, definition.tables)
  const dropped = await takeDownViews(tx, gone)
  await dropViews(tx, dropped)
  for (const table of gone) {
    rows -= await countRows(tx, quoteTable(table))
    await tx.exec(`DROP TABLE ${quoteTable(table)} CASCADE`)
  }
  const { renames, alters } = stepStatements(altering)
  await tx.exec([...labelStatements(definition.types, after.types), ...renames].join('\n'))
  const altered = altering.map((one) => one.after)
  const hanging = await takeDownViews(tx, altered)
  await dropViews(tx, hanging)
  await tx.exec(alters.join('\n'))
  const between = {
    types: after.types.filter(({ schema, name }) =>
      definition.types.some((type) => type.schema === schema && type.name === name),
    ),
    tables: [
      ...definition.tables.filter((table) => !gone.includes(table) && altering.every(({ before }) => before !== table)),
      ...altering.map(steppedTable),
    ],
  }
  await makeTables(tx, replaceTables(between, after, retiredName()).statements)
  const refused = Object.fromEntries(Object.entries(live.refused).filter(([id]) => phase.behind.has(id)))
  const tables = heldTables(after, refused, 'live')
  await ensurePrimaryKeys(tx, tables.values())
  await finish(tx, [...tables.values()], () => false)
  const losses = [...(await putBack(tx, dropped)), ...(await putBack(tx, hanging))]
  const still = new Set((await readOwnObjects(tx, after.tables, after.tables)).map(({ what }) => what))
  for (const { what } of own) if (!still.has(what)) losses.push(`The app's ${what} went with what a migration dropped.`)
  for (const loss of losses) warn(loss)
  const names = namesOfVersion(phase.version)
  const followed = new Set(altering.map(({ before }) => before.id))
  const emptied = await mapPatches(tx, new Map([...names].filter(([id]) => followed.has(id))))
  await mapPredictions(tx, names)
  const copy: Copy = { ...live, definition: phase.inForce, behind: phase.behind, refused, tables, rows }
  await writeDefinition(tx, 'live', phase.inForce, { refused, behind: phase.behind })
  await tx.query(`UPDATE tidemark.copy SET rows = $1 WHERE place = 'live'`, [rows])
  const changed = new Set(phase.changes.map((change) => change.after.id))
  const touched = [...tables.values()].filter(({ id }) => changed.has(id)).map(({ name }) => name)
  await tx.query(TELL_LIVE_QUERIES('$1'), [JSON.stringify(touched)])
  return { copy, emptied }
}

const storedSchema = z.object({
  counter: z.coerce.number(),
  attempted: z.boolean(),
  patch: z.string().transform((text) => z.array(patchRowSchema).parse(JSON.parse(text))),
})

/**
 * Says pending and failed work in the names of the version. Answers what has nothing left; its patch keeps its values, so
 * that the app sees what its user meant. A frozen request stays as it left.
 */
async function mapPatches(tx: Executor, names: VersionNames): Promise<Map<number, Rejection>> {
  const emptied = new Map<number, Rejection>()
  if (names.size === 0) return emptied
  const { rows } = await tx.query(
    `SELECT counter, request IS NOT NULL AND status = 'sent' AS attempted, patch FROM tidemark.mutation
     WHERE patch IS NOT NULL AND status <> 'confirmed' AND squashed_into IS NULL`,
  )
  const mapped: { counter: number; patch: string }[] = []
  for (const { counter, attempted, patch } of rows.map((row) => storedSchema.parse(row))) {
    const next = mapPatch(patch, names)
    const isEmptied = next.length === 0 && patch.length > 0 && !attempted
    if (isEmptied) emptied.set(counter, NOTHING_LEFT)
    mapped.push({ counter, patch: JSON.stringify(isEmptied ? mapKeys(patch, names) : next) })
  }
  await tx.query(
    `UPDATE tidemark.mutation m SET patch = x.patch
     FROM json_to_recordset($1::text::json) AS x(counter bigint, patch text) WHERE m.counter = x.counter AND m.patch <> x.patch`,
    [JSON.stringify(mapped)],
  )
  return emptied
}

const predictedSchema = z.object({
  counter: z.coerce.number(),
  predicted: z.string().transform((text) => z.array(predictedChangeSchema).parse(JSON.parse(text))),
})

/**
 * Says what sent mutations predicted in the names of the version, as the server does with those that it decides under it.
 * Those that it decided before came in the stream before the version.
 */
async function mapPredictions(tx: Executor, names: VersionNames): Promise<void> {
  if (names.size === 0) return
  const { rows } = await tx.query(
    `SELECT counter, predicted FROM tidemark.mutation WHERE predicted IS NOT NULL AND ${IS_UNSETTLED}`,
  )
  const mapped = rows.map((row) => {
    const { counter, predicted } = predictedSchema.parse(row)
    return { counter, predicted: JSON.stringify(mapPredicted(predicted, names)) }
  })
  await tx.query(
    `UPDATE tidemark.mutation m SET predicted = x.predicted
     FROM json_to_recordset($1::text::json) AS x(counter bigint, predicted text) WHERE m.counter = x.counter`,
    [JSON.stringify(mapped)],
  )
}

const NOTHING_LEFT: Rejection = {
  kind: 'outdated-schema',
  message: 'A migration dropped the columns that this changed, so that nothing of it is left to do.',
}
