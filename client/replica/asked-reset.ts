import type { TidemarkError } from '../../protocol/index.ts'

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: TidemarkError) => void
}

/** A load of everything anew that the app asked for; what is shown stays until the new rows take its place. */
export class AskedReset {
  /** `asked`: what is half loaded is still to be dropped; `loaded`: the new rows are on their way to their fences. */
  #stage: 'none' | 'asked' | 'loading' | 'loaded' = 'none'
  #waiting: Waiting[] = []

  /** True while what is half loaded is to be dropped before the next hello. */
  get isAsked(): boolean {
    return this.#stage === 'asked'
  }

  /** True while nothing that is held may be gone on with. */
  get isLoadDue(): boolean {
    return this.#stage === 'asked' || this.#stage === 'loading'
  }

  /** Begins; where one has begun, its end is this one's too. Rejects as `end` says. */
  ask(): Promise<void> {
    if (this.#stage === 'none') this.#stage = 'asked'
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Notes that a load begins, or that one came to nothing. */
  noteLoading(): void {
    if (this.#stage !== 'none') this.#stage = 'loading'
  }

  noteLoaded(): void {
    if (this.#stage === 'loading') this.#stage = 'loaded'
  }

  /** Ends it where everything that was loaded is shown. */
  noteShown(): void {
    if (this.#stage === 'loaded') this.#end(({ resolve }) => resolve())
  }

  /** Gives it up, because the replica will not connect by itself; what is half loaded then is dropped or gone on with later. */
  giveUp(error: TidemarkError): void {
    if (this.#stage !== 'none') this.#end(({ reject }) => reject(error))
  }

  #end(how: (waiting: Waiting) => void): void {
    this.#stage = 'none'
    for (const waiting of this.#waiting.splice(0)) how(waiting)
  }
}
