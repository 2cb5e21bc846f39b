/** The facts that a transition may look at besides its state and event. */
interface Surroundings {
  readonly nowMs: number
  /** 0 to 1. */
  readonly random: number
}

interface NamedEffect {
  readonly do: string
}

type Performers<Effect extends NamedEffect> = {
  readonly [Name in Effect['do']]: (effect: Extract<Effect, { readonly do: Name }>) => void
}

export interface Machine<State, Event, Effect extends NamedEffect> {
  readonly initial: State
  /** The pure transition: it touches nothing, and returns as data what is to be done. */
  readonly step: (
    state: State,
    event: Event,
    surroundings: Surroundings,
  ) => { readonly state: State; readonly effects: readonly Effect[] }
  readonly performers: Performers<Effect>
  /** Called after each transition, before its effects are performed. */
  readonly onStep: (event: Event, before: State, state: State) => void
  readonly now?: () => number
  readonly random?: () => number
}

/** Runs a machine of states: keeps its state and its timers, and performs what its transitions return. */
export class MachineRunner<State, Event, Effect extends NamedEffect> {
  readonly #machine: Machine<State, Event, Effect>
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #state: State

  constructor(machine: Machine<State, Event, Effect>) {
    this.#machine = machine
    this.#state = machine.initial
  }

  get state(): State {
    return this.#state
  }

  dispatch(event: Event): void {
    const { step, onStep, performers, now = Date.now, random = Math.random } = this.#machine
    const before = this.#state
    const { state, effects } = step(before, event, { nowMs: now(), random: random() })
    this.#state = state
    onStep(event, before, state)
    for (const effect of effects) {
      // The table pairs each name with its own effect, which TypeScript cannot follow through the lookup.
      const perform = performers[effect.do as Effect['do']] as (effect: Effect) => void
      perform(effect)
    }
  }

  /** Dispatches the event after this long, instead of what the timer of this name would have dispatched. */
  arm(name: string, delayMs: number, event: Event): void {
    this.disarm(name)
    this.#timers.set(
      name,
      setTimeout(() => this.dispatch(event), delayMs),
    )
  }

  disarm(name: string): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
  }
}
