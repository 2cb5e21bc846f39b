import type { Copy } from '../store/copies.ts'
import type { Phase } from './rules/plan-versions.ts'

/** The audiences and tables that a transaction may concern besides the copy's own. */
export interface Granted {
  /** Audiences that are granted, and no part of the copy yet. */
  readonly audiences: ReadonlySet<string>
  /** The copy with their rows, once they are loaded, or with those of tables that are loaded anew. */
  readonly addition: Copy | null
  /** Later versions on their way to what is shown; until they are there, no audience is granted. */
  readonly renewal: Renewing | null
}

/** The rest of the way from one version of the definition to a later one. */
export interface Renewing {
  /** Versions that the cursor has not reached, in order. */
  readonly phases: readonly Phase[]
  /** Ids of the tables that are loaded anew, in the last version. */
  readonly renewed: ReadonlySet<string>
}

export const NOTHING_GRANTED: Granted = { audiences: new Set(), addition: null, renewal: null }
