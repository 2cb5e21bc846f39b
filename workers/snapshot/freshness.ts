import type { Lsn } from '../../protocol/index.ts'
import type { FinishedBuild } from './build-catalogue.ts'

/** What the database says now of that by which a snapshot holds. */
export interface Present {
  readonly epoch: string | null
  readonly floor: Lsn | null
  readonly definitionVersion: number | null
  readonly definitionHash: string | null
}

/** Whether a client that loads this build now can join the stream and need not wait for a newer one. */
export function isFresh(
  build: FinishedBuild,
  audience: string,
  present: Present,
  nowMs: number,
  maxAgeMs: number,
): boolean {
  return (
    build.audience === audience &&
    build.epoch === present.epoch &&
    build.definitionVersion === present.definitionVersion &&
    build.definitionHash === present.definitionHash &&
    (present.floor === null || build.start >= present.floor) &&
    nowMs - build.startedAtMs < maxAgeMs
  )
}
