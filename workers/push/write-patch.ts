import { z } from 'zod'
import type { ConflictPolicy } from '../../db/index.ts'
import type { ColumnDefinition, Definition, PatchRow, Row } from '../../protocol/index.ts'
import { type DatabaseTransaction, textArray } from '../database/index.ts'
import { FORBIDDEN, type PatchStep } from './rules/check-patch.ts'
import { basisOf, type EarlierMutations } from './rules/earlier.ts'
import { isNumbered, isUnleased, keyTaken, keyUnleased, type UnleasedKeys } from './rules/leased-keys.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import { deleteSql, insertSql, insertUnnamedSql, lockSql, seenSql, updateSql } from './rules/patch-sql.ts'
import { resolveConflict } from './rules/resolve-conflict.ts'

export interface PatchContext {
  readonly query: DatabaseTransaction['query']
  readonly audiences: readonly string[]
  readonly types: Definition['types']
  readonly earlier: EarlierMutations
  /** The conflict policy of a table, by the table's id. */
  readonly policyOf: (table: string) => ConflictPolicy
  /** The keys of new rows that the author did not lease. */
  readonly unleased: UnleasedKeys
}

export interface Given {
  readonly step: PatchStep
  /** Known values of the changed columns before the change; a column of which nothing is known is absent. */
  readonly basis: Row
}

/** A row as it stands, and those of its columns that are not in conflict. */
export type Locked = z.infer<typeof lockedSchema>

const lockedSchema = z.object({ row: z.record(z.string(), z.string().nullable()), agreed: z.array(z.string()) })

type Group = readonly [Given, ...Given[]]

/** Carries out a patch, rows of one shape in one statement. Throws MutationRejected, and what the database throws. */
export async function writePatch(context: PatchContext, steps: readonly PatchStep[]): Promise<void> {
  for (const group of groupsOf(context, steps)) {
    const text = statementOf(context, group)
    const { op } = group[0].step
    if (op === 'insert') {
      await insertOrDecide(context, group)
      continue
    }
    const left = await run(context, group, text)
    if (!isGroup(left)) continue
    if (op === 'move') await insert(context, left)
    // A delete wins over any change made meanwhile, and a delete of a missing row has nothing to do.
    else if (op === 'delete') await refuseSeen(context, left)
    else for (const one of left) await updateLocked(context, one)
  }
}

/** True where the server fills in the audience of the row. */
const isUnnamed = ({ step }: Given): boolean => step.row.a === ''

const isNamedInsert = ({ op, row }: PatchStep): boolean => op === 'insert' && row.a !== ''

const isGroup = (given: readonly Given[]): given is Group => given.length > 0

/** Turns a patch into statements that each touch as many rows as they are given, if nothing stands in the way. */
export function patchStatements(
  context: Omit<PatchContext, 'query' | 'unleased'>,
  steps: readonly PatchStep[],
): { text: string; rows: string; seen: readonly string[]; count: number }[] {
  return groupsOf(context, steps).map((group) => ({
    text: statementOf(context, group),
    rows: givenRows(group),
    seen: seenValues(context, group),
    count: group.length,
  }))
}

function statementOf(context: Omit<PatchContext, 'query' | 'unleased'>, group: Group): string {
  const [first] = group
  const { op, table, columns } = first.step
  if (op === 'insert') return isUnnamed(first) ? insertUnnamedSql(table, columns) : insertSql(table, columns)
  if (op === 'delete') return deleteSql(table, group.length)
  if (op === 'move') return updateSql(table, valueColumns(first.step), [], new Set(), context.types, group.length)
  const checked = first.step.decided || context.policyOf(table.id) === 'last-write-wins' ? [] : columns
  return updateSql(table, columns, checked, bareOf(first), context.types, group.length)
}

/** Groups neighbouring steps that one statement can do. */
function groupsOf({ earlier }: Pick<PatchContext, 'earlier'>, steps: readonly PatchStep[]): Group[] {
  const groups: [Given, ...Given[]][] = []
  let shape = ''
  for (const [index, step] of steps.entries()) {
    const one = { step, basis: step.decided ? {} : basisOf(step.row, earlier) }
    const columns = step.columns.map(({ name }) => name)
    const place = step.apart ? index : null
    const kind = [step.op, step.table.id, isUnnamed(one), place]
    const next = JSON.stringify([kind, columns, Object.keys(one.basis).sort()])
    if (next === shape) groups.at(-1)?.push(one)
    else groups.push([one])
    shape = next
  }
  return groups
}

/** Runs a statement over the group, and returns those of the group that it did not touch. */
async function run(context: PatchContext, group: Group, text: string): Promise<Given[]> {
  const touched = new Set((await context.query(text, parameters(context, group))).map((row) => Number(row.position)))
  return group.filter((_, index) => !touched.has(index + 1))
}

function givenRows(group: Group): string {
  return JSON.stringify(group.map(({ step: { row }, basis }) => ({ k: row.k, d: 'd' in row ? row.d : {}, b: basis })))
}

/**
 * Returns the values of the audience's column that the author sees; none for an insert that names its audience itself.
 */
function seenValues({ audiences }: Pick<PatchContext, 'audiences'>, [{ step }]: Group): string[] {
  const rule = step.table.audience
  if ('constant' in rule || isNamedInsert(step)) return []
  const start = `${rule.prefix}:`
  return audiences.filter((audience) => audience.startsWith(start)).map((audience) => audience.slice(start.length))
}

function parameters(context: PatchContext, group: Group): string[] {
  const [{ step }] = group
  if ('constant' in step.table.audience || isNamedInsert(step)) return [givenRows(group)]
  return [givenRows(group), textArray(seenValues(context, group))]
}

/** Inserts rows, including those of a move whose old row is not there. */
async function insert(context: PatchContext, group: Group): Promise<void> {
  const [first, ...rest] = group
  const asInsert = (one: Given): Given => ({ ...one, step: { ...one.step, op: 'insert' } })
  const given: Group = [asInsert(first), ...rest.map(asInsert)]
  const stranger = given.find(({ step }) => isUnleased(step, context.unleased))
  if (stranger) throw new MutationRejected(keyUnleased(stranger.step.row))
  const rows = await context.query(statementOf(context, given), parameters(context, given))
  // Nobody knew the audience of a row that the server fills in before the row stood there.
  if (isUnnamed(first) && rows.length < group.length) throw new MutationRejected(FORBIDDEN)
}

/**
 * Inserts rows. One that is there already was made by somebody else meanwhile: each of its columns counts as one whose
 * basis the author did not know.
 */
async function insertOrDecide(context: PatchContext, group: Group): Promise<void> {
  const asUpdate = (one: Given): Given => ({
    basis: {},
    step: { ...one.step, op: 'update', columns: valueColumns(one.step) },
  })
  const [first, ...rest] = group
  const updates: Group = [asUpdate(first), ...rest.map(asUpdate)]
  const rows = await context.query(seenSql(first.step.table, group.length), parameters(context, updates))
  const there = new Set(rows.map((row) => Number(row.position) - 1))
  // A row that a sequence numbers is nobody else's for having its key.
  const taken = group.find(({ step }, index) => there.has(index) && isNumbered(step))
  if (taken) throw new MutationRejected(keyTaken(taken.step.row))
  const missing = group.filter((_, index) => !there.has(index))
  if (isGroup(missing)) await insert(context, missing)
  for (const [index, one] of updates.entries()) if (there.has(index)) await updateLocked(context, one)
}

/** Refuses rows that the author sees and that were still not written: row-level security keeps them from it. */
async function refuseSeen(context: PatchContext, group: Group): Promise<void> {
  const rows = await context.query(seenSql(group[0].step.table, group.length), parameters(context, group))
  const seen = group[Number(rows[0]?.position ?? 0) - 1]
  if (seen) throw reject(seen.step.row, 'forbidden', 'This row is not open to you.')
}

const valueColumns = ({ table, columns }: PatchStep) => columns.filter(({ name }) => !table.primaryKey.includes(name))

function reject(row: PatchRow, kind: 'forbidden' | 'missing-row', message: string): MutationRejected {
  return new MutationRejected({ kind, message, table: row.t, key: row.k })
}

/** Returns columns whose basis is unknown: they agree only where nothing would change. */
const bareOf = ({ step, basis }: Given): Set<string> =>
  new Set(step.columns.map(({ name }) => name).filter((name) => !Object.hasOwn(basis, name)))

/** Decides a row that the update passed over: it is gone, not open to its author, or in conflict. */
async function updateLocked(context: PatchContext, one: Given): Promise<void> {
  const { step } = one
  if (step.decided) throw reject(step.row, 'forbidden', 'This row is not open to you.')
  const locked = await lockRow(context, one)
  if (!locked) {
    await refuseSeen(context, [one])
    throw reject(step.row, 'missing-row', 'The row is deleted, or moved to where you do not see it.')
  }
  await writeDecided(context, decide(context, one, locked))
}

/** Locks a row and reads it; null where its author does not see it. */
export async function lockRow(context: PatchContext, one: Given): Promise<Locked | null> {
  const { table, columns } = one.step
  const [found] = await context.query(lockSql(table, columns, bareOf(one), context.types), parameters(context, [one]))
  return found
    ? lockedSchema.parse({ row: JSON.parse(found.row ?? 'null'), agreed: JSON.parse(found.agreed ?? '[]') })
    : null
}

/**
 * Returns what an update writes into a locked row; where it is in conflict, its table's policy decides. Throws
 * MutationRejected.
 */
export function decide(
  { policyOf }: Pick<PatchContext, 'policyOf'>,
  { step, basis }: Given,
  { row: server, agreed }: Locked,
): PatchStep {
  const { table, columns, row } = step
  const policy = policyOf(table.id)
  const inConflict =
    policy === 'last-write-wins' ? [] : columns.map(({ name }) => name).filter((name) => !agreed.includes(name))
  const values = inConflict.length === 0 ? {} : resolveConflict(policy, row, { server, basis, columns: inConflict })
  const written = columns.filter(({ name }) => !inConflict.includes(name) || Object.hasOwn(values, name))
  return withValues({ ...step, decided: true }, written, values)
}

/** Returns the step with these columns alone, and with some of their values replaced. */
export function withValues(step: PatchStep, columns: readonly ColumnDefinition[], values: Row): PatchStep {
  const { row } = step
  return { ...step, columns, row: { ...row, d: { ...('d' in row ? row.d : {}), ...values } } as PatchRow }
}

/** Updates a row that was locked as one an update may touch, and returns whether it was written. */
export async function isWritten(context: PatchContext, step: PatchStep): Promise<boolean> {
  const text = updateSql(step.table, step.columns, [], new Set(), context.types, 1)
  return (await run(context, [{ step, basis: {} }], text)).length === 0
}

async function writeDecided(context: PatchContext, step: PatchStep): Promise<void> {
  if (step.columns.length === 0 || (await isWritten(context, step))) return
  throw reject(step.row, 'forbidden', 'This row is not open to you.')
}
