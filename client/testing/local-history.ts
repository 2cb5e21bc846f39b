import type { Lsn, MarkedChange, WireChange, WireTransaction } from '../../protocol/index.ts'

/** A transaction as everybody receives it, and as its author does. */
interface Committed {
  readonly lsn: Lsn
  readonly xid: string
  readonly at: string
  readonly changes: readonly WireChange[]
  readonly marked: readonly MarkedChange[]
}

const STEP = 0x10

/** The commits of a test's server, in their order. */
export class LocalHistory {
  #position = 0x100
  readonly #commits: Committed[] = []

  /** The place before the first commit. */
  readonly start: Lsn = lsnAt(0x100)

  get head(): Lsn {
    return lsnAt(this.#position)
  }

  commit(changes: readonly WireChange[], marked: readonly MarkedChange[] = changes): void {
    this.#position += STEP
    const at = new Date().toISOString()
    this.#commits.push({ lsn: this.head, xid: String(this.#position), at, changes, marked })
  }

  /** The transactions after a place; up to `rowsTo` the author's own come as rows. */
  after(from: Lsn, rowsTo: Lsn | null): WireTransaction[] {
    return this.#commits
      .filter(({ lsn }) => lsn > from)
      .map(({ changes, marked, ...rest }) => ({
        ...rest,
        changes: [...(rowsTo !== null && rest.lsn <= rowsTo ? changes : marked)],
      }))
  }
}

const lsnAt = (position: number): Lsn => position.toString(16).padStart(16, '0') as Lsn
