import type { Rejection } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { readEnded } from '../store/rows/record-rows.ts'
import type { MutationEnd } from './confirmations.ts'

const DISCARDED: Rejection = { kind: 'refused', code: 'discarded', message: 'It was discarded here.' }

/** Reads which of these mutations are settled, and how; one that is gone was discarded. */
export async function readMutationEnds(db: Executor, waiting: readonly number[]): Promise<MutationEnd[]> {
  const ended = await readEnded(db, waiting)
  return ended.map(({ counter, rejection, discarded }) => ({ counter, rejection: discarded ? DISCARDED : rejection }))
}
