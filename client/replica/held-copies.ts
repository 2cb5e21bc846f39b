import { type Copy, isShown } from '../store/copies.ts'
import type { FollowedMigrations } from './followed-migrations.ts'
import { refusal } from './refused-tables.ts'
import type { Progress } from './rules/progress.ts'
import type { StatusStore } from './status.ts'

export interface HeldCopiesOptions {
  readonly status: StatusStore
  readonly progress: Progress
  readonly migrations: FollowedMigrations
  readonly warn: (loss: string) => void
  /** Called when audiences were taken from the user, whose rows have just gone from the database. */
  readonly onRevoked: () => void
  /** Called after every change; `areOthersRefused`: other tables than before cannot be held. */
  readonly onChanged: (areOthersRefused: boolean) => void
}

/** Holds the copies of the server's rows that lie here, and keeps the status in step with them. */
export class HeldCopies {
  readonly #options: HeldCopiesOptions
  #all: readonly Copy[] = []

  constructor(options: HeldCopiesOptions) {
    this.#options = options
  }

  get all(): readonly Copy[] {
    return this.#all
  }

  /** The copy that the app sees, whole or not; null where there is none. */
  get live(): Copy | null {
    return this.#all.find(({ place }) => place === 'live') ?? null
  }

  /** The copy that the app sees and may write to; null until it is whole. */
  get shown(): Copy | null {
    return this.#all.find(isShown) ?? null
  }

  /** The copy that frames go to: one on its way to its fences, else the one that is whole. */
  get streamed(): Copy | null {
    const window = this.#all.find(({ stage }) => stage === 'window')
    return window ?? this.#all.find(({ stage }) => stage === 'joined') ?? null
  }

  /** Replaces all copies by these, and sets the status by them. */
  replaceCopies(copies: readonly Copy[]): void {
    this.#all = copies
    const { live } = this
    const { status, progress, migrations, warn, onRevoked, onChanged } = this.#options
    const before = status.current
    const ready = live?.stage === 'joined'
    const audiences = [...(live?.joins.keys() ?? [])]
    if (ready) progress.noteReady()
    const { refused = {}, rows = 0 } = live ?? {}
    for (const [table, cause] of Object.entries(refused)) if (!(table in before.refused)) warn(refusal(table, cause))
    if (live && before.audiences.some((audience) => !audiences.includes(audience))) onRevoked()
    status.set({
      ready,
      progress: progress.reached,
      epoch: live?.epoch ?? null,
      lsn: live?.cursor ?? null,
      audiences,
      rows,
      refused,
      migrations: migrations.follow(live),
    })
    onChanged(Object.keys(refused).join() !== Object.keys(before.refused).join())
  }
}
