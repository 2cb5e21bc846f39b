import type { Lsn } from '../../protocol/index.ts'

/** What is kept of a finished build beside its manifest: enough to say whether it still holds. */
export interface FinishedBuild {
  readonly id: string
  readonly audience: string
  readonly epoch: string
  readonly definitionVersion: number
  readonly definitionHash: string
  readonly start: Lsn
  /** When its transaction began. */
  readonly startedAtMs: number
}

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
