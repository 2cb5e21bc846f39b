import { type Lsn, lsnDistanceBytes, maxLsn } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { CaptureStore } from './capture-state.ts'
import { slotPlace } from './rules/place-between.ts'
import type { CycleFacts } from './server-facts.ts'
import { advanceSlot, logStandbySnapshot } from './slot.ts'

/** A peek decodes from the slot's restart position, and this much of the log costs it some 50 ms. */
const LAGGING_RESTART_BYTES = 8 * 1024 * 1024

/** Moves the slot behind what is stored and delivered, and keeps the position from which it restarts near. */
export class SlotAdvance {
  readonly #slotName: string
  readonly #store: CaptureStore
  #owed: Lsn | null = null
  #maySnapshot = true
  /** The place of the last running-transactions record that was written here. */
  #snapshotAt: Lsn | null = null

  constructor(slotName: string, store: CaptureStore) {
    this.#slotName = slotName
    this.#store = store
  }

  /** The place to which the slot may move and has not; null where it need not. */
  get owed(): Lsn | null {
    return this.#owed
  }

  /** Owes a move to `capturedTo`, below which everything is stored and delivered. Throws what the database throws. */
  async owe(database: Database, { slot }: CycleFacts, capturedTo: Lsn, headLsn: Lsn | null): Promise<void> {
    const to = slotPlace(capturedTo)
    if (to <= (slot?.confirmedFlushLsn ?? to)) return
    // Stored before the slot moves: a slot found further along was moved by somebody else.
    this.#store.write({ ...this.#store.read(), capturedTo, advancedTo: to, headLsn })
    this.#owed = to
    // Where an open transaction holds the restart position back, another record would not move it.
    const restart = slot?.restartLsn
    const since = restart && maxLsn(restart, this.#snapshotAt ?? restart)
    if (this.#maySnapshot && since && lsnDistanceBytes(since, to) > LAGGING_RESTART_BYTES) {
      this.#maySnapshot = await logStandbySnapshot(database.query)
      this.#snapshotAt = to
    }
  }

  /** Moves the slot where that is owed. Throws what the database throws. */
  async moveSlot(database: Database): Promise<void> {
    const to = this.#owed
    if (to === null) return
    await advanceSlot(database.query, this.#slotName, to)
    this.moved(to)
  }

  /** Takes up that somebody else moved the slot as it was owed. */
  moved(to: Lsn): void {
    if (this.#owed === to) this.#owed = null
  }

  /** Forgets the debt: the next cycle finds out anew how far the slot may move. */
  forget(): void {
    this.#owed = null
  }
}
