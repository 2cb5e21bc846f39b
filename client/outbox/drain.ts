import { type Outcome, TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { drainStep, INITIAL_DRAIN } from './drain-machine.ts'
import type { DrainEffect, DrainEvent, DrainState } from './drain-state.ts'
import { push } from './push-client.ts'
import type { Frozen } from './rules/batch.ts'

/** The mutations to send next; outcomes up to the counter `acknowledged` are never asked for again. */
export interface Outgoing {
  readonly acknowledged: number
  readonly mutations: readonly Frozen[]
  /** More waits than one push may hold. */
  readonly hasMore: boolean
  /** None of the waiting work can be sent before a copy of the tables is shown. */
  readonly isHeld: boolean
}

/** The drain takes mutations from its host, and hands outcomes to it. */
export interface DrainHost {
  /** Freezes and answers the next mutations without an outcome; durable before it resolves. */
  next(): Promise<Outgoing>
  take(outcomes: readonly Outcome[]): Promise<void>
  /** Called with the error for which nothing is sent just now, and with null once a push was answered. */
  told(error: TidemarkError | null): void
}

type EffectOf<Name extends DrainEffect['do']> = Extract<DrainEffect, { readonly do: Name }>

/** Performs the machine's effects: one push, three timers. It decides nothing. */
export class Drain {
  readonly #http: Http
  readonly #client: string
  readonly #host: DrainHost
  #state: DrainState = INITIAL_DRAIN
  #push: AbortController | null = null
  /** The push in hand or last given up, which may still use the database. */
  #working: Promise<unknown> = Promise.resolve()
  #taking: Promise<unknown> | null = null
  #timers = new Map<string, ReturnType<typeof setTimeout>>()

  constructor(options: { readonly http: Http; readonly client: string; readonly host: DrainHost }) {
    this.#http = options.http
    this.#client = options.client
    this.#host = options.host
  }

  get state(): DrainState {
    return this.#state
  }

  dispatch(event: DrainEvent): void {
    const { state, effects } = drainStep(this.#state, event, { nowMs: Date.now(), random: Math.random() })
    this.#state = state
    if (event.type === 'failed' || event.type === 'put-off') this.#host.told(event.error)
    if (event.type === 'answered') this.#host.told(null)
    for (const effect of effects) this.#perform(effect)
  }

  /** Resolves when the current push has been taken from the database; null where that is done. */
  get taking(): Promise<unknown> | null {
    return this.#taking
  }

  /** Resolves when the drain no longer uses the database. */
  async idle(): Promise<void> {
    await this.#working.catch(() => undefined)
  }

  #performers: { readonly [Name in DrainEffect['do']]: (effect: EffectOf<Name>) => void } = {
    push: () => this.#startPush(),
    'abort-push': () => this.#stopPush(),
    'arm-quiet': ({ delayMs }) => this.#arm('quiet', delayMs, { type: 'quiet' }),
    'disarm-quiet': () => clearTimeout(this.#timers.get('quiet')),
    'arm-pull': ({ delayMs }) => this.#arm('pull', delayMs, { type: 'pull-overdue' }),
    'disarm-pull': () => clearTimeout(this.#timers.get('pull')),
    'arm-retry': ({ delayMs }) => this.#arm('retry', delayMs, { type: 'retry-due' }),
    'disarm-retry': () => clearTimeout(this.#timers.get('retry')),
  }

  #perform(effect: DrainEffect): void {
    // The table pairs each name with its own effect, which TypeScript cannot follow through the lookup.
    const performer = this.#performers[effect.do] as (effect: DrainEffect) => void
    performer(effect)
  }

  #arm(name: string, delayMs: number, event: DrainEvent): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.set(
      name,
      setTimeout(() => this.dispatch(event), delayMs),
    )
  }

  #stopPush(): void {
    this.#push?.abort()
    this.#push = null
  }

  #startPush(): void {
    const controller = new AbortController()
    this.#push = controller
    const before = this.#working.catch(() => undefined)
    const taken = before.then(() => this.#take(controller.signal))
    const taking = taken.catch(() => undefined)
    this.#taking = taking
    taking.then(() => {
      if (this.#taking === taking) this.#taking = null
    })
    const running = taken.then((outgoing) => this.#send(outgoing, controller.signal))
    this.#working = running
    running.then(
      (event) => this.#ended(controller, event),
      (error: unknown) => this.#ended(controller, { type: 'failed', error: toTidemarkError(error) }),
    )
  }

  #ended(controller: AbortController, event: DrainEvent): void {
    if (this.#push !== controller) return
    this.#push = null
    this.dispatch(event)
  }

  async #take(signal: AbortSignal): Promise<Outgoing> {
    if (signal.aborted) throw new TidemarkError('unavailable', 'The push was given up.')
    return this.#host.next()
  }

  async #send({ acknowledged, mutations, hasMore, isHeld }: Outgoing, signal: AbortSignal): Promise<DrainEvent> {
    if (isHeld) return { type: 'held-back' }
    if (mutations.length === 0) return { type: 'answered', hasMore }
    const { outcomes, putOff } = await push(this.#http, { client: this.#client, acknowledged, mutations }, signal)
    // An outcome that came is kept even where the push was given up meanwhile.
    await this.#host.take(outcomes)
    if (putOff) return { type: 'put-off', hasProgress: outcomes.length > 0, error: putOff }
    return { type: 'answered', hasMore }
  }
}
