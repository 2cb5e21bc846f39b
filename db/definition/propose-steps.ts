import * as z from 'zod/mini'
import { type DefinitionInForce, tableStepSchema, type WatchedTable } from '../../protocol/index.ts'
import { deriveSteps, type StepFacts } from './derive-steps.ts'
import { labelsStay } from './kept-types.ts'
import type { TableShape } from './table-shape.ts'

/** A definition that is to come in force, with what the server alone knows of it. */
export interface DefinitionToBe extends Pick<DefinitionInForce, 'definition'> {
  readonly watched: readonly WatchedTable[]
  readonly keysOnly: readonly string[]
}

const toldColumnSchema = z.object({ name: z.string(), type: z.string(), isGenerated: z.boolean() })

const proposedStepSchema = z.object({
  relation: z.string(),
  /** The place in the log at which the shape was last compared: rows below it may be of a shape of which nothing is known. */
  seenAt: z.string(),
  step: tableStepSchema,
  /** The columns that the log tells of a row written before the table was altered, and after, in their order. */
  before: z.array(toldColumnSchema),
  after: z.array(toldColumnSchema),
  /** True where rows of the new version may hold what the version before does not take, though they look alike. */
  isLooser: z.boolean(),
})

/**
 * Steps for tables that others altered, which hold only if the log tells no row of any other shape; capture finds out.
 */
export const proposalSchema = z.object({
  /** True where nothing else makes the version: it may then come in force earlier than the transaction that stores it. */
  isAlone: z.boolean(),
  steps: z.array(proposedStepSchema),
})

export type ToldColumn = z.infer<typeof toldColumnSchema>
export type ProposedStep = z.infer<typeof proposedStepSchema>
export type Proposal = z.infer<typeof proposalSchema>

/**
 * Proposes steps for `altered`, ids of tables that others altered; `earlier` are shapes as last compared, before anything
 * that the log has still to tell. Doubt means no step.
 */
export function proposeSteps(facts: StepFacts, altered: ReadonlySet<string>): ProposedStep[] {
  return deriveSteps({ ...facts, unplaced: new Set(), written: new Set() }).flatMap((step) => {
    const [earlier, now] = [facts.earlier.get(step.table), facts.now.get(step.table)]
    const [old, table] = [facts.before, facts.after].map(({ tables }) => tables.find(({ id }) => id === step.table))
    if (!altered.has(step.table) || step.from !== step.table || !earlier || !now || !old || !table) return []
    const { seenAt } = earlier
    if (seenAt === null || !isUnmistakable(earlier, now)) return []
    const isLooser =
      table.columns.some(({ name, notNull }) => {
        const from = step.columns.find((column) => column.name === name)?.from
        return !notNull && old.columns.some((column) => column.name === from && column.notNull)
      }) || haveMoreLabels(earlier, now)
    return [{ relation: now.relation, seenAt, step, before: toldOf(earlier), after: toldOf(now), isLooser }]
  })
}

const toldOf = ({ columns }: TableShape): ToldColumn[] =>
  columns.map(({ name, type, generated }) => ({ name, type, isGenerated: generated !== null }))

function haveMoreLabels(earlier: TableShape, now: TableShape): boolean {
  return now.columns.some((column) => {
    const was = earlier.columns.find(({ number }) => number === column.number)
    return was !== undefined && labelsStay(was, column) && was.labels.length !== column.labels.length
  })
}

/**
 * Tells whether rows that look in the log as the table did, or as it does, can be of no other shape that it had in
 * between.
 *
 * The log tells columns by name and type, in the order of their numbers. Where columns were only added and all are there
 * still, or only dropped, their count says which of them a row had. Where some were added and some dropped, one of these
 * may have stood in the place of the other, unless their values differ in length.
 */
function isUnmistakable(earlier: TableShape, now: TableShape): boolean {
  const { width } = earlier
  if (width === null || now.width === null || earlier.identity !== now.identity) return false
  if (areLeavesOther(earlier, now)) return false
  const added = now.columns.filter(({ number }) => number > width)
  // One that came and went since may have borne any name.
  if (added.length !== now.width - width) return false
  const dropped = earlier.columns.filter(({ number }) => now.columns.every((column) => column.number !== number))
  return dropped.every((was) =>
    added.every((column) => was.length !== null && column.length !== null && was.length !== column.length),
  )
}

function areLeavesOther(earlier: TableShape, now: TableShape): boolean {
  const leavesOf = ({ leaves }: TableShape) =>
    JSON.stringify(leaves.map(({ relation, identity }) => [relation, identity]))
  return leavesOf(earlier) !== leavesOf(now)
}

/** Tells whether a version differs from the one before in these tables alone. */
export function isAlone(before: DefinitionInForce, after: DefinitionToBe, proposed: readonly ProposedStep[]): boolean {
  const others = ({ definition }: Pick<DefinitionInForce, 'definition'>) =>
    JSON.stringify(
      definition.tables
        .filter(({ id }) => proposed.every(({ step }) => step.table !== id))
        .map(({ since, ...table }) => [table.id, since ?? before.version, Object.entries(table).sort()]),
    )
  return (
    before.passedOver === undefined &&
    JSON.stringify([before.watched ?? [], before.keysOnly ?? []]) === JSON.stringify([after.watched, after.keysOnly]) &&
    others(before) === others(after)
  )
}
