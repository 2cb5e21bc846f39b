import { z } from 'zod'
import type { ConflictPolicy } from '../../db/index.ts'
import type { ColumnDefinition, Definition, PatchRow, Row } from '../../protocol/index.ts'
import { type DatabaseTransaction, textArray } from '../database/index.ts'
import { FORBIDDEN, type PatchStep } from './rules/check-patch.ts'
import { basisOf, type EarlierMutations } from './rules/earlier.ts'
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
}

export interface Given {
  readonly step: PatchStep
  /** Null of a column of which nothing is known. */
  readonly basis: Row
}

/** A row as it stands, and the columns of it that are not in conflict. */
export type Locked = z.infer<typeof lockedSchema>

const lockedSchema = z.object({ row: z.record(z.string(), z.string().nullable()), agreed: z.array(z.string()) })

type Group = readonly [Given, ...Given[]]

/** Does what a patch says, rows of one shape in one statement. Throws MutationRejected, and what the database throws. */
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
    // Whatever was changed meanwhile, a delete wins, and one of a missing row has nothing to do.
    else if (op === 'delete') await refuseSeen(context, left)
    else for (const one of left) await updateLocked(context, one)
  }
}

/** The server fills in whose the row is. */
const isUnnamed = ({ step }: Given): boolean => step.row.a === ''

const isNamedInsert = ({ op, row }: PatchStep): boolean => op === 'insert' && row.a !== ''

const isGroup = (given: readonly Given[]): given is Group => given.length > 0

/** A patch as statements that each touch as many rows as they are given, if nothing stands in the way. */
export function patchStatements(
  context: Omit<PatchContext, 'query'>,
  steps: readonly PatchStep[],
): { text: string; rows: string; seen: readonly string[]; count: number }[] {
  return groupsOf(context, steps).map((group) => ({
    text: statementOf(context, group),
    rows: givenRows(group),
    seen: seenValues(context, group),
    count: group.length,
  }))
}

function statementOf(context: Omit<PatchContext, 'query'>, group: Group): string {
  const [first] = group
  const { op, table, columns } = first.step
  if (op === 'insert') return isUnnamed(first) ? insertUnnamedSql(table, columns) : insertSql(table, columns)
  if (op === 'delete') return deleteSql(table, group.length)
  if (op === 'move') return updateSql(table, valueColumns(first.step), [], new Set(), context.types, group.length)
  const checked = first.step.decided || context.policyOf(table.id) === 'last-write-wins' ? [] : columns
  return updateSql(table, columns, checked, bareOf(first), context.types, group.length)
}

/** Neighbours that one statement can do. */
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

/** Runs a statement over the group, and answers those of it that it did not touch. */
async function run(context: PatchContext, group: Group, text: string): Promise<Given[]> {
  const touched = new Set((await context.query(text, parameters(context, group))).map((row) => Number(row.position)))
  return group.filter((_, index) => !touched.has(index + 1))
}

function givenRows(group: Group): string {
  return JSON.stringify(group.map(({ step: { row }, basis }) => ({ k: row.k, d: 'd' in row ? row.d : {}, b: basis })))
}

/** What its author sees in the audience's column; an insert says its audience itself. */
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

/** Also of rows to be moved that are not there. */
async function insert(context: PatchContext, group: Group): Promise<void> {
  const [first, ...rest] = group
  const asInsert = (one: Given): Given => ({ ...one, step: { ...one.step, op: 'insert' } })
  const given: Group = [asInsert(first), ...rest.map(asInsert)]
  const rows = await context.query(statementOf(context, given), parameters(context, given))
  // Whose a row is that the server filled in, nobody knew before it stood there.
  if (isUnnamed(first) && rows.length < group.length) throw new MutationRejected(FORBIDDEN)
}

/** Rows that are there already, somebody made meanwhile: then each column is as one of which the author knew nothing. */
async function insertOrDecide(context: PatchContext, group: Group): Promise<void> {
  const asUpdate = (one: Given): Given => ({
    basis: {},
    step: { ...one.step, op: 'update', columns: valueColumns(one.step) },
  })
  const [first, ...rest] = group
  const updates: Group = [asUpdate(first), ...rest.map(asUpdate)]
  const rows = await context.query(seenSql(first.step.table, group.length), parameters(context, updates))
  const there = new Set(rows.map((row) => Number(row.position) - 1))
  const missing = group.filter((_, index) => !there.has(index))
  if (isGroup(missing)) await insert(context, missing)
  for (const [index, one] of updates.entries()) if (there.has(index)) await updateLocked(context, one)
}

/** What is seen and was not written, row-level security keeps from being written. */
async function refuseSeen(context: PatchContext, group: Group): Promise<void> {
  const rows = await context.query(seenSql(group[0].step.table, group.length), parameters(context, group))
  const seen = group[Number(rows[0]?.position ?? 0) - 1]
  if (seen) throw reject(seen.step.row, 'forbidden', 'This row is not open to you.')
}

const valueColumns = ({ table, columns }: PatchStep) => columns.filter(({ name }) => !table.primaryKey.includes(name))

function reject(row: PatchRow, kind: 'forbidden' | 'missing-row', message: string): MutationRejected {
  return new MutationRejected({ kind, message, table: row.t, key: row.k })
}

/** Columns of which no basis is known: they agree only where nothing would change. */
const bareOf = ({ step, basis }: Given): Set<string> =>
  new Set(step.columns.map(({ name }) => name).filter((name) => !Object.hasOwn(basis, name)))

/** A row that the update passed over: gone, not open to its author, or in conflict. */
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

/** Null where its author does not see it. */
export async function lockRow(context: PatchContext, one: Given): Promise<Locked | null> {
  const { table, columns } = one.step
  const [found] = await context.query(lockSql(table, columns, bareOf(one), context.types), parameters(context, [one]))
  return found
    ? lockedSchema.parse({ row: JSON.parse(found.row ?? 'null'), agreed: JSON.parse(found.agreed ?? '[]') })
    : null
}

/** What an update writes into a row that is locked: what its table's policy says where it is in conflict. Throws MutationRejected. */
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

/** The step with these columns alone, and some of their values otherwise. */
export function withValues(step: PatchStep, columns: readonly ColumnDefinition[], values: Row): PatchStep {
  const { row } = step
  return { ...step, columns, row: { ...row, d: { ...('d' in row ? row.d : {}), ...values } } as PatchRow }
}

/** Whether the row, locked as what an update may touch, was written. */
export async function isWritten(context: PatchContext, step: PatchStep): Promise<boolean> {
  const text = updateSql(step.table, step.columns, [], new Set(), context.types, 1)
  return (await run(context, [{ step, basis: {} }], text)).length === 0
}

async function writeDecided(context: PatchContext, step: PatchStep): Promise<void> {
  if (step.columns.length === 0 || (await isWritten(context, step))) return
  throw reject(step.row, 'forbidden', 'This row is not open to you.')
}
