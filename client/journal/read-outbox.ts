import type { Executor } from '../store/copies.ts'
import { readEnds, readMade } from '../store/rows/journal-rows.ts'
import type { JournalRecord } from './rules/records.ts'

/** The outbox's mutations after a given number, as records. */
export interface MadeSince {
  /** The highest number given. */
  readonly last: number
  readonly records: readonly JournalRecord[]
  /** The hash of the definition under which unsealed mutations were captured; null where all are sealed. */
  readonly hash: string | null
}

/** Reads, for the journal, all mutations after the number `seen` that wait for something. */
export async function readMadeRecords(db: Pick<Executor, 'query'>, seen: number): Promise<MadeSince> {
  const { last, hash, said, made } = await readMade(db, seen)
  const isCaptured = ({ kind, patch }: (typeof made)[number]) => kind === 'patch' && patch === null
  const records = made.flatMap((one): JournalRecord[] => {
    const { request, predicted, rejection, took, ...rest } = one
    const { counter } = one
    return [
      { t: 'made', ...rest, said: one.said ?? said, hash: isCaptured(one) ? hash : null },
      ...(request === null ? [] : [{ t: 'frozen', counter, request, predicted, took } as const]),
      ...(rejection === null ? [] : [{ t: 'failed', counter, rejection } as const]),
    ]
  })
  return { last, records, hash: made.some(isCaptured) ? hash : null }
}

/** Reads how these mutations ended or failed; those that did neither are left out. */
export async function readEndRecords(
  db: Pick<Executor, 'query'>,
  counters: Iterable<number>,
): Promise<JournalRecord[]> {
  const ends = await readEnds(db, counters)
  return ends.map(({ counter, status, rejection }): JournalRecord => {
    if (status === 'failed' && rejection !== null) return { t: 'failed', counter, rejection }
    return { t: 'ended', counter, how: status === 'confirmed' ? 'confirmed' : 'gone' }
  })
}
