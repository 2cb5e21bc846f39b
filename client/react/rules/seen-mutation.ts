import type { MutationRecord, MutationStatus } from '../../mutations/mutation.ts'
import type { ReplicaStatus } from '../../replica/status.ts'

/** A mutation, with when this page first saw it in each state; in ms since 1970. */
export interface SeenMutation extends MutationRecord {
  readonly seenAt: Readonly<Partial<Record<MutationStatus, number>>>
}

type Counts = Pick<ReplicaStatus, 'pending' | 'failed'>

/** Tells whether a mutation may have changed: with nothing waiting, what the server sends changes none. */
export function mayChangeMutations(before: Counts, now: Counts): boolean {
  return now.pending > 0 || before.pending !== now.pending || before.failed !== now.failed
}

/** Adds to a record when it was first seen in its state; answers the one before where nothing differs. */
export function seenRecord(before: SeenMutation | null, record: MutationRecord, nowMs: number): SeenMutation {
  // The replica forgets the writes of mutations that are confirmed; who saw them keeps them.
  const writes = record.writes.length > 0 ? record.writes : (before?.writes ?? [])
  if (before && isSame(before, { ...record, writes })) return before
  return { ...record, writes, seenAt: { [record.status]: nowMs, ...before?.seenAt } }
}

/** The writes of a mutation change with its effect, by a rebase, or where it takes in a later one. */
function isSame(before: SeenMutation, record: MutationRecord): boolean {
  const { seenAt: _, ...rest } = before
  return JSON.stringify(sorted(rest)) === JSON.stringify(sorted(record))
}

const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
