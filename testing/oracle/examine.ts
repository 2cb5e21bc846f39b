import { type Lsn, parsePgSnapshot } from '../../protocol/index.ts'
import { examineReplicas } from './examine-replicas.ts'
import {
  type DefinitionChange,
  HistoryModel,
  type HistoryRow,
  type HistoryStart,
  lineDifference,
  visibleHistory,
  visibleLines,
} from './history-model.ts'
import type { PostgresSample, ReplicaSample } from './samples.ts'

/** Everything that was seen of one epoch. */
export interface Evidence {
  readonly start: HistoryStart
  /** Definitions put in force later on, by version. */
  readonly changes: ReadonlyMap<number, DefinitionChange>
  readonly history: readonly HistoryRow[]
  readonly replicaSamples: readonly ReplicaSample[]
  readonly postgresSamples: readonly PostgresSample[]
}

/**
 * Compares every sample with history folded to its place, and history with Postgres; answers everything that is wrong.
 *
 * - A replica at cursor L shows what its audiences see after the last commit at or below L. Where a later definition is on
 *   its way, tables that it renews show one earlier commit, and stand still until they join.
 * - Postgres in a snapshot shows history's transactions visible there, no more and no less.
 * - A replica's cursor never goes back, and its definition is the one in force at its cursor, or one that is being renewed.
 * - Old values undo history back to where it began, or to the last truncate or definition (HIS-09).
 */
export function examine(evidence: Evidence): string[] {
  return [
    ...examineOrder(evidence.history),
    ...examineReplicas(evidence),
    ...evidence.postgresSamples.flatMap((sample) => examinePostgres(evidence, sample)),
    ...examineUndo(evidence),
  ]
}

function examineOrder(history: readonly HistoryRow[]): string[] {
  const faults: string[] = []
  for (const [index, change] of history.entries()) {
    const before = history[index - 1]
    const expected = before?.lsn === change.lsn ? before.seq + 1 : 0
    if (change.seq !== expected) faults.push(`history ${change.lsn}: seq ${change.seq} where ${expected} was due`)
    if (before?.lsn === change.lsn && before.xid !== change.xid)
      faults.push(`history ${change.lsn}: two transactions at one LSN`)
  }
  return faults
}

function examinePostgres({ start, changes, history }: Evidence, sample: PostgresSample): string[] {
  const model = new HistoryModel(start, changes)
  for (const change of visibleHistory(history, parsePgSnapshot(sample.snapshot))) model.apply(change)
  const strays = (sample.strays ?? []).map(
    (id) => `a row of ${id} was not its parent's audience's in snapshot ${sample.snapshot}`,
  )
  const told = sample.definition.definition.tables.flatMap((table) => {
    const expected = sample.lines.get(table.id) ?? []
    const actual = visibleLines(table, model.state.get(table.id)?.values() ?? [], null)
    const difference = lineDifference(expected, actual)
    return difference.length === 0
      ? []
      : [
          `history does not tell what Postgres held in snapshot ${sample.snapshot}: ${table.id}\n  ${difference.join('\n  ')}`,
        ]
  })
  return [...strays, ...told]
}

function examineUndo({ start, changes, history }: Evidence): string[] {
  const end = history.findLastIndex(({ operation }) => operation === 'truncate' || operation === 'definition')
  const model = new HistoryModel(start, changes)
  const all = () =>
    model.inForce.definition.tables.map(
      (table) => [table.id, visibleLines(table, model.state.get(table.id)?.values() ?? [], null)] as const,
    )
  for (const change of history.slice(0, end + 1)) model.apply(change)
  const there = new Map(all())
  const rest = history.slice(end + 1)
  for (const change of rest) model.apply(change)
  for (const change of rest.toReversed()) model.undo(change)
  return all().flatMap(([id, back]) => {
    const difference = lineDifference(there.get(id) ?? [], back)
    return difference.length === 0 ? [] : [`old values do not undo history of ${id}\n  ${difference.join('\n  ')}`]
  })
}

/** A right that was given or taken, and a place in the log at or after its commit. */
export interface RightsEvent {
  readonly replica: string
  readonly audience: string
  readonly granted: boolean
  readonly lsn: Lsn
}

/** Reports audiences shown at or beyond the commit that took the right to them, unless it was given again later. */
export function examineRights(rights: readonly RightsEvent[], samples: readonly ReplicaSample[]): string[] {
  return samples.flatMap((sample) => {
    const own = rights.filter(({ replica }) => sample.replica === replica || sample.replica.startsWith(`${replica},`))
    return sample.audiences.flatMap((audience) => {
      const events = own.filter((event) => event.audience === audience)
      const last = events.filter(({ lsn }) => lsn <= sample.cursor).at(-1)
      const later = events.some(({ granted, lsn }) => granted && lsn > sample.cursor)
      if (later || last?.granted) return []
      return [`${sample.replica} shows ${audience} without a right to it (${sample.moment})`]
    })
  })
}
