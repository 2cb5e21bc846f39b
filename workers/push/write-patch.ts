import { z } from 'zod'
import type { ConflictPolicy } from '../../db/index.ts'
import type { Definition, PatchRow, Row } from '../../protocol/index.ts'
import { type DatabaseTransaction, textArray } from '../database/index.ts'
import type { PatchStep } from './rules/check-patch.ts'
import { basisOf, type EarlierMutations } from './rules/earlier.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import { deleteSql, insertSql, lockSql, seenSql, updateSql } from './rules/patch-sql.ts'
import { resolveConflict } from './rules/resolve-conflict.ts'

export interface PatchContext {
  readonly query: DatabaseTransaction['query']
  readonly audiences: readonly string[]
  readonly types: Definition['types']
  readonly earlier: EarlierMutations
  /** Of a table by its id. */
  readonly policyOf: (table: string) => ConflictPolicy
}

interface Given {
  readonly step: PatchStep
  /** Null of a column of which nothing is known. */
  readonly basis: Row
}

const lockedSchema = z.object({ row: z.record(z.string(), z.string().nullable()), agreed: z.array(z.string()) })

/** Does what a patch says, rows of one shape in one statement. Throws MutationRejected, and what the database throws. */
export async function writePatch(context: PatchContext, steps: readonly PatchStep[]): Promise<void> {
  for (const group of groupsOf(context, steps)) {
    const [first] = group
    if (!first) continue
    const { op, table } = first.step
    if (op === 'insert') await insert(context, group)
    else if (op === 'delete') await remove(context, group)
    else if (op === 'move') {
      const missed = await run(context, group, updateSql(table, valueColumns(first.step), [], new Set(), context.types))
      if (missed.length > 0) await insert(context, missed)
    } else await update(context, group)
  }
}

/** Neighbours that one statement can do. */
function groupsOf({ earlier }: PatchContext, steps: readonly PatchStep[]): Given[][] {
  const groups: Given[][] = []
  let shape = ''
  for (const step of steps) {
    const one = { step, basis: basisOf(step.row, earlier) }
    const next = JSON.stringify([
      step.op,
      step.table.id,
      step.columns.map(({ name }) => name),
      Object.keys(one.basis).sort(),
    ])
    if (next === shape) groups.at(-1)?.push(one)
    else groups.push([one])
    shape = next
  }
  return groups
}

/** Runs a statement over the group, and answers those of it that it did not touch. */
async function run(context: PatchContext, group: readonly Given[], text: string): Promise<Given[]> {
  const touched = new Set((await context.query(text, parameters(context, group))).map((row) => Number(row.position)))
  return group.filter((_, index) => !touched.has(index + 1))
}

function parameters({ audiences }: PatchContext, group: readonly Given[]): string[] {
  const [first] = group
  const rule = first?.step.table.audience
  const rows = group.map(({ step: { row }, basis }) => ({ k: row.k, d: 'd' in row ? row.d : {}, b: basis }))
  if (!rule || 'constant' in rule || first?.step.op === 'insert') return [JSON.stringify(rows)]
  const start = `${rule.prefix}:`
  const seen = audiences
    .filter((audience) => audience.startsWith(start))
    .map((audience) => audience.slice(start.length))
  return [JSON.stringify(rows), textArray(seen)]
}

async function insert(context: PatchContext, group: readonly Given[]): Promise<void> {
  const [first] = group
  if (!first) return
  const given = group.map((one) => ({ ...one, step: { ...one.step, op: 'insert' as const } }))
  await context.query(insertSql(first.step.table, first.step.columns), parameters(context, given))
}

/** Whatever was changed meanwhile, a delete wins, and one of a missing row has nothing to do. */
async function remove(context: PatchContext, group: readonly Given[]): Promise<void> {
  const table = group[0]?.step.table
  if (!table) return
  const left = await run(context, group, deleteSql(table))
  if (left.length > 0) await refuseSeen(context, left)
}

/** What is seen and was not written, row-level security keeps from being written. */
async function refuseSeen(context: PatchContext, group: readonly Given[]): Promise<void> {
  const [first] = group
  if (!first) return
  const rows = await context.query(seenSql(first.step.table), parameters(context, group))
  const seen = group[Number(rows[0]?.position ?? 0) - 1]
  if (seen) throw reject(seen.step.row, 'forbidden', 'This row is not open to you.')
}

const valueColumns = ({ table, columns }: PatchStep) => columns.filter(({ name }) => !table.primaryKey.includes(name))

function reject(row: PatchRow, kind: 'forbidden' | 'missing-row', message: string): MutationRejected {
  return new MutationRejected({ kind, message, table: row.t, key: row.k })
}

async function update(context: PatchContext, group: readonly Given[]): Promise<void> {
  const [first] = group
  if (!first) return
  const { table, columns } = first.step
  const policy = context.policyOf(table.id)
  const checked = policy === 'last-write-wins' ? [] : columns
  for (const one of await run(context, group, updateSql(table, columns, checked, bareOf(first), context.types))) {
    await updateLocked(context, one, policy)
  }
}

/** Columns of which no basis is known: they agree only where nothing would change. */
const bareOf = ({ step, basis }: Given): Set<string> =>
  new Set(step.columns.map(({ name }) => name).filter((name) => !Object.hasOwn(basis, name)))

/** A row that the update passed over: gone, not open to its author, or in conflict. */
async function updateLocked(context: PatchContext, one: Given, policy: ConflictPolicy): Promise<void> {
  const { step, basis } = one
  const { table, columns, row } = step
  const [found] = await context.query(lockSql(table, columns, bareOf(one), context.types), parameters(context, [one]))
  if (!found) {
    await refuseSeen(context, [one])
    throw reject(row, 'missing-row', 'The row is deleted, or moved to where you do not see it.')
  }
  const { row: server, agreed } = lockedSchema.parse({
    row: JSON.parse(found.row ?? 'null'),
    agreed: JSON.parse(found.agreed ?? '[]'),
  })
  const inConflict =
    policy === 'last-write-wins' ? [] : columns.map(({ name }) => name).filter((name) => !agreed.includes(name))
  const values = inConflict.length === 0 ? {} : resolveConflict(policy, row, { server, basis, columns: inConflict })
  const written = columns.filter(({ name }) => !inConflict.includes(name) || Object.hasOwn(values, name))
  if (written.length === 0) return
  const resolved = {
    ...one,
    step: { ...step, row: { ...row, d: { ...('d' in row ? row.d : {}), ...values } } as PatchRow },
  }
  const text = updateSql(table, written, [], new Set(), context.types)
  // It was locked as what an update may touch.
  if ((await run(context, [resolved], text)).length > 0) throw reject(row, 'forbidden', 'This row is not open to you.')
}
