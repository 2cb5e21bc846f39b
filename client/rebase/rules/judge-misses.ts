import type { Rejection } from '../../../protocol/index.ts'
import type { Unsettled } from '../../store/rows/mutation-rows.ts'

/** The reason why a mutation could not be done again: its own error, or that of a mutation it builds on. */
export type Miss = { readonly rejection: Rejection } | { readonly on: number }

/** Answers the rejection of a mutation that builds on one that failed. */
export const dependency = (on: number): Rejection => ({
  kind: 'dependency',
  message: 'An earlier mutation on which this one builds has failed.',
  on,
})

/**
 * Divides mutations that could not be done again, which come in their order, into those that fail and those that wait.
 *
 * One that a push may have brought to the server waits for its outcome, and so does whatever builds on it. Rule RBS-R5.
 */
export function judgeMisses(
  list: readonly Pick<Unsettled, 'counter' | 'attempted'>[],
  misses: ReadonlyMap<number, Miss>,
): { readonly failed: ReadonlyMap<number, Rejection>; readonly waiting: ReadonlySet<number> } {
  const failed = new Map<number, Rejection>()
  const waiting = new Set<number>()
  for (const { counter, attempted } of list) {
    const miss = misses.get(counter)
    if (!miss) continue
    if (attempted || ('on' in miss && waiting.has(miss.on))) waiting.add(counter)
    else failed.set(counter, 'on' in miss ? dependency(miss.on) : miss.rejection)
  }
  return { failed, waiting }
}

/** Groups mutations, without changing their order, into runs of patches and runs of actions. */
export function groupByKind<One extends Pick<Unsettled, 'kind'>>(list: readonly One[]): One[][] {
  const groups: One[][] = []
  for (const one of list) {
    const last = groups.at(-1)
    if (last?.[0]?.kind === one.kind) last.push(one)
    else groups.push([one])
  }
  return groups
}
