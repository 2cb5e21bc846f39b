import type { Lsn } from '../../protocol/index.ts'

/** A finished build as it is kept beside its manifest: enough to decide whether it still holds. */
export interface FinishedBuild {
  readonly id: string
  readonly audience: string
  readonly epoch: string
  readonly definitionVersion: number
  readonly definitionHash: string
  readonly start: Lsn
  /** The time at which the transaction of the build began. */
  readonly startedAtMs: number
}

/** The database's present state, by which a snapshot holds or not. */
export interface Present {
  readonly epoch: string | null
  readonly floor: Lsn | null
  readonly definitionVersion: number | null
  readonly definitionHash: string | null
}

/** Tells whether a client that loads this build now can join the stream and need not wait for a newer one. */
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
