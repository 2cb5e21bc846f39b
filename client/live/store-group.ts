import type { QueryStore } from './query-store.ts'

/** Stores that are shown together; each change of one of them is called back once all have rows. */
export class StoreGroup {
  readonly #changed: () => void
  #stores: readonly QueryStore[] = []
  #ends: (() => void)[] = []

  constructor(changed: () => void) {
    this.#changed = changed
  }

  get stores(): readonly QueryStore[] {
    return this.#stores
  }

  /** Shows these in the place of others; rejects with the error of the first that has one, and then shows none. */
  async show(stores: readonly QueryStore[]): Promise<void> {
    const before = this.#ends
    this.#stores = stores
    let isShown = false
    // What others have open may be of before the app's last write.
    const known = stores.filter((store) => store.getSnapshot().rows !== null)
    this.#ends = stores.map((store) => store.subscribe(() => isShown && this.#changed()))
    for (const end of before) end()
    try {
      await Promise.all([...known.map((store) => store.refresh()), ...stores.map(untilAnswered)])
      isShown = true
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Runs all again. Rejects with their error. */
  async refresh(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.refresh()))
    for (const store of this.#stores) {
      const { error } = store.getSnapshot()
      if (error !== null) throw error
    }
  }

  /** Throws the error by which one has ended. */
  check(): void {
    for (const store of this.#stores) if (store.isEnded) throw store.getSnapshot().error
  }

  close(): void {
    for (const end of this.#ends) end()
    this.#ends = []
  }
}

function untilAnswered(store: QueryStore): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const { rows, error } = store.getSnapshot()
      if (error === null && rows === null) return
      end()
      if (error === null) resolve()
      else reject(error)
    }
    const end = store.subscribe(look)
    look()
  })
}
