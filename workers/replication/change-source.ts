import type { Lsn } from '../../protocol/index.ts'
import type { DatabaseTransaction } from '../database/index.ts'
import type { DecoderName } from './rules/decoder-choice.ts'
import type { SourceEvent } from './rules/source-event.ts'
import type { TablePlans } from './rules/table-plan.ts'

export interface PeekRequest {
  readonly slotName: string
  readonly plans: TablePlans
  /** Those of definitions that come on the way, where their tables have to be asked for. */
  readonly ahead?: TablePlans
  /** Decoding ends with the commits that end here. */
  readonly upTo: Lsn
  /** The server checks this at commits only, so one transaction may bring any number of rows. */
  readonly maxChanges: number
}

export interface SourcePage {
  readonly events: readonly SourceEvent[]
  /** Rows the server returned for this page, which `maxChanges` counts. */
  readonly serverRows: number
}

/** Reads the slot without moving it. The peek runs inside the transaction that will store what it brings. */
export interface ChangeSource {
  readonly decoder: DecoderName
  peek(transaction: DatabaseTransaction, request: PeekRequest): AsyncIterable<SourcePage>
  /** The server's function that decodes for `peek`, and the options it is given. */
  call(plans: TablePlans): { readonly name: string; readonly options: readonly string[] }
  /** Decodes all rows of a short peek at once. */
  decode(rows: readonly string[], plans: TablePlans): SourceEvent[]
}
