import { type DefinitionInForce, formatPgLsn, type Lsn, type TableDefinition, ZERO_LSN } from '../../protocol/index.ts'
import type { Evidence } from './examine.ts'
import { HistoryModel, lineDifference, visibleLines } from './history-model.ts'
import type { ReplicaSample } from './samples.ts'

/** A sample of a replica to which a later definition is on its way. */
interface Behind {
  readonly sample: ReplicaSample
  /** The tables that are loaded anew or leave; until then they stay as they were when the replica heard of it. */
  readonly tables: readonly TableDefinition[]
  /** The last cursor at which the replica was seen to show all of them as committed. */
  readonly from: Lsn
  readonly difference: readonly string[]
  /** The commits at which all of them were as they are shown. */
  readonly commits: Set<Lsn>
}

/**
 * Compares what replicas show with history folded to their cursors.
 *
 * If a later definition was there by then, tables that are not the same by both may stand at one earlier commit, always
 * the same until they join (HYD-R6); the others are at the cursor even so. Those that say themselves to be behind are not
 * looked at until they are loaded.
 */
export function examineReplicas(evidence: Evidence): string[] {
  const faults = examineCursors(evidence.replicaSamples)
  const { model, steps } = fold(evidence)
  const definitions = definitionsOf(evidence)
  const exactAt = new Map<string, Lsn>()
  const behind: Behind[] = []
  const sorted = [...evidence.replicaSamples].sort((a, b) => compare(a.cursor, b.cursor))
  for (const sample of sorted) {
    steps.to(sample.cursor)
    const { version } = model.inForce
    const held = definitions.get(sample.version)
    const later = laterDefinition(definitions, evidence.changes, sample)
    if (!held || held.version > version || (later?.version ?? held.version) < version) {
      faults.push(`${nameOf(sample)}: by definition ${sample.version} where ${version} is in force`)
      continue
    }
    const followed = held.definition.tables.filter(({ id }) => !sample.behind?.includes(id))
    const kept = later ? keptTables({ ...held, definition: { ...held.definition, tables: followed } }, later) : followed
    for (const table of kept) {
      const difference = differenceAt(model, table, sample)
      if (difference.length > 0) faults.push(notCommitted(sample, table.id, difference))
    }
    const tables = followed.filter((table) => !kept.includes(table))
    const difference = tables.flatMap((table) => differenceAt(model, table, sample))
    if (held.version === version && difference.length === 0) exactAt.set(sample.replica, sample.cursor)
    else behind.push({ sample, tables, from: exactAt.get(sample.replica) ?? ZERO_LSN, difference, commits: new Set() })
  }
  steps.toEnd()
  return [...faults, ...examineBehind(evidence, behind), ...model.violations.map((violation) => `history ${violation}`)]
}

function examineCursors(samples: readonly ReplicaSample[]): string[] {
  const faults: string[] = []
  const lastCursor = new Map<string, Lsn>()
  for (const sample of samples) {
    const last = lastCursor.get(sample.replica)
    if (last !== undefined && sample.cursor < last) {
      faults.push(
        `${sample.replica} went back from ${formatPgLsn(last)} to ${formatPgLsn(sample.cursor)} (${sample.moment})`,
      )
    }
    lastCursor.set(sample.replica, sample.cursor)
  }
  return faults
}

/** Reports each that is at no commit between its last exact sample and its cursor, by the definition it holds. */
function examineBehind(evidence: Evidence, behind: readonly Behind[]): string[] {
  if (behind.length === 0) return []
  const { model, steps } = fold(evidence)
  for (let commit: Lsn | null = ZERO_LSN; commit !== null; ) {
    const next = steps.next
    for (const { sample, tables, from, commits } of behind) {
      if (sample.cursor < commit || (next !== null && next <= from) || model.inForce.version !== sample.version)
        continue
      if (tables.every((table) => differenceAt(model, table, sample).length === 0)) commits.add(commit)
    }
    if (next !== null) steps.to(next)
    commit = next
  }
  const standing = new Map<string, Set<Lsn>>()
  return behind.flatMap(({ sample, tables, from, difference, commits }) => {
    // Tables that stand still cannot be at one commit at one look, and at another at the next.
    const renewal = `${sample.replica} ${sample.version} ${from}`
    const before = standing.get(renewal)
    const both = before ? new Set([...commits].filter((commit) => before.has(commit))) : commits
    standing.set(renewal, both)
    return both.size > 0 ? [] : [notCommitted(sample, tables.map(({ id }) => id).join(), difference)]
  })
}

const compare = (a: Lsn, b: Lsn) => (a < b ? -1 : a > b ? 1 : 0)

const nameOf = (sample: ReplicaSample) => `${sample.replica} at ${formatPgLsn(sample.cursor)}, ${sample.moment}`

function notCommitted(sample: ReplicaSample, what: string, difference: readonly string[]): string {
  return `${nameOf(sample)} (${sample.audiences.join(' ')}): ${what} is not what was committed\n  ${difference.join('\n  ')}`
}

/** The definitions of an epoch by version. */
function definitionsOf({ start, changes, history }: Evidence): Map<number, DefinitionInForce> {
  const definitions = new Map([[start.definition.version, start.definition]])
  for (const { operation, data } of history) {
    const change = operation === 'definition' ? changes.get(Number(data?.version)) : undefined
    if (change) definitions.set(change.definition.version, change.definition)
  }
  return definitions
}

/** The last definition that a replica may have heard of when it was looked at; null where that is the one it holds. */
function laterDefinition(
  definitions: ReadonlyMap<number, DefinitionInForce>,
  changes: Evidence['changes'],
  { version, takenMs }: ReplicaSample,
): DefinitionInForce | null {
  const known = [...definitions.values()].filter(
    (one) => one.version > version && (changes.get(one.version)?.beforeMs ?? takenMs) < takenMs,
  )
  return known.sort((a, b) => b.version - a.version)[0] ?? null
}

/** Answers the tables whose rows are the same by both; a definition says since which version each is as it is. */
function keptTables(held: DefinitionInForce, later: DefinitionInForce): readonly TableDefinition[] {
  const same = later.definition.tables.filter(({ since }) => (since ?? later.version) <= held.version)
  return held.definition.tables.filter(({ id }) => same.some((other) => other.id === id))
}

function differenceAt(model: HistoryModel, table: TableDefinition, sample: ReplicaSample): string[] {
  const rows = model.state.get(table.id)?.values() ?? []
  const expected = visibleLines(table, rows, new Set(sample.audiences), sample.touched.get(table.id))
  return lineDifference(expected, sample.lines.get(table.id) ?? [])
}

/** A model of an epoch's history at its beginning, and the steps through it. */
function fold({ start, changes, history }: Evidence) {
  const model = new HistoryModel(start, changes)
  let position = 0
  const go = (isWanted: (lsn: Lsn) => boolean) => {
    for (let change = history[position]; change && isWanted(change.lsn); change = history[position]) {
      model.apply(change)
      position += 1
    }
  }
  const steps = {
    to: (lsn: Lsn) => go((other) => other <= lsn),
    toEnd: () => go(() => true),
    /** The LSN of the next commit; null at the end. */
    get next(): Lsn | null {
      return history[position]?.lsn ?? null
    },
  }
  return { model, steps }
}
