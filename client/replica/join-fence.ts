import { type Lsn, maxLsn } from '../../protocol/index.ts'
import type { Copy } from '../store/copies.ts'

/** The highest fence of a copy's audiences: at or past it the copy is whole. */
export function fenceOf(copy: Copy): Lsn {
  return maxLsn(copy.cursor, ...[...copy.joins.values()].map(({ fence }) => fence))
}

/** Answers whether granted audiences, brought to `to`, can join a copy that is there too. Rule RGT-R4. */
export function mayJoin(addition: Copy, copy: Copy, to: Lsn): boolean {
  return to >= fenceOf(addition) && to >= copy.cursor
}
