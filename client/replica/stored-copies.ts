import { type Copy, readCopies, setStage, writeDefinition } from '../store/copies.ts'
import { dropAddition } from './drop-addition.ts'
import type { HeldCopies } from './held-copies.ts'
import type { PendingWork } from './pending-work.ts'
import { purgeAudiences } from './purge-audiences.ts'

/** Answers the audiences of a copy that a session no longer has. */
const lostOf = (copy: Copy, audiences: readonly string[]) =>
  [...copy.joins.keys()].filter((audience) => !audiences.includes(audience))

/** Changes which copies lie in the database, and has those that are held in step with it. */
export class StoredCopies {
  readonly #outbox: PendingWork
  readonly #held: HeldCopies

  constructor(outbox: PendingWork, held: HeldCopies) {
    this.#outbox = outbox
    this.#held = held
  }

  /** Takes the copies that lie there as those that are held. */
  async read(): Promise<void> {
    this.#held.replaceCopies(await readCopies(this.#outbox.db))
  }

  /** Removes rows of audiences that the session no longer has from what the app sees, also while another copy is loaded. */
  async purgeShown(audiences: readonly string[]): Promise<void> {
    const { live } = this.#held
    const lost = live ? lostOf(live, audiences) : []
    if (!live || lost.length === 0) return
    await purgeAudiences(this.#outbox, live, lost)
    await this.read()
  }

  /** Leaves only the copy that is streamed into, and beside it the one that is shown, with this session's audiences. */
  async keepStreamed(copy: Copy, audiences: readonly string[]): Promise<Copy> {
    const { db } = this.#outbox
    const leftover = (await readCopies(db)).find(({ place, stage }) => place === 'aside' && stage !== 'window')
    if (leftover) await dropAddition(db)
    if (copy.place === 'aside') await this.purgeShown(audiences)
    const lost = lostOf(copy, audiences)
    const kept = lost.length === 0 ? copy : await purgeAudiences(this.#outbox, copy, lost)
    const isKept = ({ place }: Copy) => place !== copy.place && (place !== 'aside' || !leftover)
    this.#held.replaceCopies(this.#held.all.filter(isKept).concat(kept))
    return kept
  }

  /** Has tables that are shown loaded anew, each alone, by the next connection; what is written to them waits until then. */
  async markBehind(tables: ReadonlySet<string>): Promise<void> {
    const { shown } = this.#held
    if (!shown) return
    const { definition, refused, owed } = shown
    const behind = new Set([...shown.behind, ...[...tables].filter((id) => shown.tables.has(id))])
    const hash = `${definition.hash}-behind-${behind.size}`
    await this.#outbox.db.transaction((tx) =>
      writeDefinition(tx, 'live', { ...definition, hash }, { refused, behind, owed }),
    )
    await this.read()
  }

  /** Marks a copy that contradicts the stream as of no use; one beside what is shown goes. */
  async breakCopy({ place }: Copy): Promise<void> {
    await this.#giveUp(place === 'live', place !== 'live')
  }

  /** Drops what is loaded in part, but for rows that are shown, which stay until there are others. */
  async dropUnfinished(): Promise<void> {
    const { live } = this.#held
    await this.#giveUp(live !== null && live.stage !== 'joined', true)
  }

  async #giveUp(breaksLive: boolean, dropsAside: boolean): Promise<void> {
    const { db } = this.#outbox
    if (breaksLive) await db.transaction((tx) => setStage(tx, 'live', 'broken'))
    if (dropsAside) await dropAddition(db)
    await this.read()
  }
}
