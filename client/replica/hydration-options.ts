import type { Copy } from '../store/copies.ts'
import type { Refused } from '../store/held-tables.ts'
import type { FetchOptions } from './fetch-manifests.ts'
import type { LoadOptions } from './load-copy.ts'
import type { Envelope } from './load-envelope.ts'
import type { PendingWork } from './pending-work.ts'

export interface HydrationOptions extends FetchOptions, LoadOptions {
  readonly envelope: Envelope
  /** Called whenever the copies change, with all there are. */
  readonly onCopiesChanged: (copies: readonly Copy[]) => void
  /** Answers the tables of a definition that are known not to be held here. */
  readonly refusedOf: (epoch: string, version: number) => Refused
  readonly outbox: Pick<PendingWork, 'actions' | 'askOutcomesBeforeJoin' | 'warn'>
}
