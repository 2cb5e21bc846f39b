import type { LiveQueryDescription } from './live/live-messages.ts'

/** Frames that passed over the sockets of a replica since it was opened. */
export interface FrameCounts {
  readonly received: number
  readonly receivedCharacters: number
  readonly sent: number
}

/** What a debug panel shows of a replica besides its status. */
export interface ReplicaInspection {
  /** `opfs-ahp`, `idb`, `memory` or `path`, and the name. */
  readonly storage: string
  readonly frames: FrameCounts
  /** The open live queries of the page, with how often they ran and how long that took. */
  readonly liveQueries: readonly LiveQueryDescription[]
}
