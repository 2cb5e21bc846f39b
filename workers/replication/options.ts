import type { Sync } from '../../db/index.ts'
import type { DecoderName } from './rules/decoder-choice.ts'
import type { ReplicationIntervals } from './rules/interval.ts'

export interface ReplicationOptions {
  /** The bundle's own definition; only compared with the one in force. */
  readonly sync?: Sync
  /** Default `tidemark`. Two deployments on one server need different names. */
  readonly slotName?: string
  /** `auto` (default) takes wal2json where it can capture everything, else pgoutput. */
  readonly decoder?: 'auto' | DecoderName
  /** Waits inside Postgres while clients are connected, so that changes arrive in milliseconds. Default true. */
  readonly watch?: boolean
  readonly intervals?: Partial<ReplicationIntervals>
  /** History older than this is pruned; without it all is kept. */
  readonly retention?: { readonly days: number }
}

export const DEFAULT_SLOT_NAME = 'tidemark'
