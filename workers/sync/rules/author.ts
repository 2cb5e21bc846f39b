import {
  type Lsn,
  MarkerEncoder,
  type MutationNote,
  type TransactionMutation,
  type WireChange,
} from '../../../protocol/index.ts'
import type { PlacedChange } from '../../encoded-change.ts'

/** The author that a session is: it selects the mutations that are its own, and how they are told to it. */
export interface Author {
  /** The client's own audience. */
  readonly audience: string
  /** Mutations at or below it were settled before the session began; their rows are told as anyone's. */
  readonly after: Lsn
  /** Up to here rows are told as captured, because the client does not know its predictions; null for nowhere. */
  readonly rowsTo: Lsn | null
}

/** A mutation as it is kept; its audience names the client. */
type KeptMutation = Omit<TransactionMutation, 'client'>

/**
 * Turns kept changes into those that a session is told: its own mutations as notes, and their changes by the difference
 * from the prediction. They are told one for one, so that positions hold, and each for itself, so that a reader may
 * begin anywhere. Rule MRK-R3.
 */
export class MutationTeller {
  readonly #author: Author | null
  readonly #wholeAt: Lsn | null
  #lsn: Lsn | null = null
  #encoder: MarkerEncoder | null = null
  /** The number of predictions by which no change has been told yet. */
  #open = 0

  /** Rows of the transaction at `wholeAt` are told as captured. */
  constructor(author: Author | null, wholeAt: Lsn | null = null) {
    this.#author = author
    this.#wholeAt = wholeAt
  }

  /** Answers the change as the session is told it; null for its own mutation that was settled before. */
  tell({ lsn, audience, text }: Pick<PlacedChange, 'lsn' | 'audience' | 'text'>): string | null {
    if (this.#author !== null && audience === this.#author.audience) return this.#begin(this.#author, lsn, text)
    if (this.#encoder === null || lsn !== this.#lsn || this.#open === 0) return text
    const told = this.#encoder.encode(JSON.parse(text) as WireChange)
    if (told.o !== 'p') return text
    this.#open -= 1
    return JSON.stringify(told)
  }

  #begin({ after, rowsTo }: Author, lsn: Lsn, text: string): string | null {
    if (lsn <= after) return null
    const { counter, rejection, predicted }: KeptMutation = JSON.parse(text)
    const asCaptured = predicted === null || lsn === this.#wholeAt || (rowsTo !== null && lsn <= rowsTo)
    this.#lsn = lsn
    this.#encoder = asCaptured ? null : new MarkerEncoder(predicted)
    this.#open = predicted?.length ?? 0
    const note: MutationNote = { o: 'm', c: counter, ...(rejection === null ? {} : { r: rejection }) }
    return JSON.stringify(note)
  }
}
