import { type Outcome, TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { MachineRunner } from '../connection/machine-runner.ts'
import { drainStep, INITIAL_DRAIN } from './drain-machine.ts'
import type { DrainEffect, DrainEvent, DrainState } from './drain-state.ts'
import { push } from './push-client.ts'
import type { Frozen } from './rules/cut-batch.ts'

/** The mutations to send next; outcomes up to the counter `acknowledged` are never asked for again. */
export interface Outgoing {
  readonly acknowledged: number
  readonly mutations: readonly Frozen[]
  /** More waits than one push may hold. */
  readonly hasMore: boolean
  /** None of the waiting work can be sent before a copy of the tables is shown and has them all. */
  readonly isHeld: boolean
}

/** The outbox's part in a push: it freezes what the drain pushes, and receives the outcomes. */
export interface DrainHost {
  /** Freezes and answers the next mutations without an outcome; durable before it resolves. */
  freezeNext(): Promise<Outgoing>
  receiveOutcomes(outcomes: readonly Outcome[]): Promise<void>
  /** Called with the error for which nothing is sent just now, and with null once a push was answered. */
  reportPushError(error: TidemarkError | null): void
}

/** Performs the machine's effects: one push, three timers. It decides nothing. */
export class Drain {
  readonly #http: Http
  readonly #client: string
  readonly #migration: string | undefined
  readonly #host: DrainHost
  readonly #runner = new MachineRunner<DrainState, DrainEvent, DrainEffect>({
    initial: INITIAL_DRAIN,
    step: drainStep,
    onStep: (event) => {
      if (event.type === 'failed' || event.type === 'put-off') this.#host.reportPushError(event.error)
      if (event.type === 'answered') this.#host.reportPushError(null)
    },
    performers: {
      push: () => this.#startPush(),
      'abort-push': () => this.#stopPush(),
      'arm-quiet': ({ delayMs }) => this.#runner.arm('quiet', delayMs, { type: 'quiet' }),
      'disarm-quiet': () => this.#runner.disarm('quiet'),
      'arm-pull': ({ delayMs }) => this.#runner.arm('pull', delayMs, { type: 'pull-overdue' }),
      'disarm-pull': () => this.#runner.disarm('pull'),
      'arm-retry': ({ delayMs }) => this.#runner.arm('retry', delayMs, { type: 'retry-due' }),
      'disarm-retry': () => this.#runner.disarm('retry'),
    },
  })
  #push: AbortController | null = null
  /** The push in hand or last given up, which may still use the database. */
  #working: Promise<unknown> = Promise.resolve()
  #freezing: Promise<unknown> | null = null

  constructor(options: {
    readonly http: Http
    readonly client: string
    readonly migration?: string | undefined
    readonly host: DrainHost
  }) {
    this.#http = options.http
    this.#client = options.client
    this.#migration = options.migration
    this.#host = options.host
  }

  get state(): DrainState {
    return this.#runner.state
  }

  dispatch(event: DrainEvent): void {
    this.#runner.dispatch(event)
  }

  /** Resolves when the mutations of the current push are frozen; null where that is done. */
  get freezing(): Promise<unknown> | null {
    return this.#freezing
  }

  /** Resolves when the drain no longer uses the database. */
  async whenIdle(): Promise<void> {
    await this.#working.catch(() => undefined)
  }

  #stopPush(): void {
    this.#push?.abort()
    this.#push = null
  }

  #startPush(): void {
    const controller = new AbortController()
    this.#push = controller
    const before = this.#working.catch(() => undefined)
    const frozen = before.then(() => this.#freezeNext(controller.signal))
    const freezing = frozen.catch(() => undefined)
    this.#freezing = freezing
    freezing.then(() => {
      if (this.#freezing === freezing) this.#freezing = null
    })
    const running = frozen.then((outgoing) => this.#send(outgoing, controller.signal))
    this.#working = running
    running.then(
      (event) => this.#finishPush(controller, event),
      (error: unknown) => this.#finishPush(controller, { type: 'failed', error: toTidemarkError(error) }),
    )
  }

  #finishPush(controller: AbortController, event: DrainEvent): void {
    if (this.#push !== controller) return
    this.#push = null
    this.dispatch(event)
  }

  async #freezeNext(signal: AbortSignal): Promise<Outgoing> {
    if (signal.aborted) throw new TidemarkError('unavailable', 'The push was given up.')
    return this.#host.freezeNext()
  }

  async #send({ acknowledged, mutations, hasMore, isHeld }: Outgoing, signal: AbortSignal): Promise<DrainEvent> {
    if (isHeld) return { type: 'held-back' }
    if (mutations.length === 0) return { type: 'answered', hasMore }
    const { outcomes, putOff } = await push(
      this.#http,
      { client: this.#client, acknowledged, migration: this.#migration, mutations },
      signal,
    )
    // An outcome that came is kept even where the push was given up meanwhile.
    await this.#host.receiveOutcomes(outcomes)
    if (putOff) return { type: 'put-off', hasProgress: outcomes.length > 0, error: putOff }
    return { type: 'answered', hasMore }
  }
}
