import type { Sync } from '../../db/define-sync.ts'
import type { TidemarkError } from '../../protocol/index.ts'
import type { Replica } from '../replica-api.ts'

/** How far a replica is on its way to be open. */
export interface ReplicaOpening<S extends Sync = Sync> {
  /** Null until it is open, and again when it is being closed. */
  readonly replica: Replica<S> | null
  /** The reason why it could not be opened; null while that is still being tried. */
  readonly error: TidemarkError | null
  /** The part of the way to `ready` that is done, from 0 to 1; `status.progress` goes on from it. */
  readonly progress: number
  /** Opens again after an error; does nothing otherwise. */
  retry(): void
}

/** The opening on a server, and in a browser before anything has begun. */
export const NOT_BEGUN: ReplicaOpening = { replica: null, error: null, progress: 0, retry: () => undefined }
