import { toTidemarkError } from '../../protocol/index.ts'
import type { SnapshotRpc, SyncRpc } from '../contracts.ts'
import type { ObjectNamespace } from '../env.ts'
import type { LoggedAction, OperatorAction, OperatorOutcome, OperatorRequest } from '../operations-contract.ts'
import type { OperationsStore } from './operations-store.ts'
import type { ReplicationLoop } from './replication-loop.ts'
import type { ReplicationStorage } from './replication-storage.ts'
import type { Router } from './router.ts'

const MINUTE_MS = 60_000

export interface ActionContext {
  readonly loop: ReplicationLoop
  readonly router: Router
  readonly storage: ReplicationStorage
  readonly store: OperationsStore
  readonly snapshots: ObjectNamespace<Pick<SnapshotRpc, 'drop'>>
  readonly objects: ObjectNamespace<Pick<SyncRpc, 'rehydrateClient' | 'disconnectClient'>>
  readonly nowMs: () => number
  /** Called with each action once it is answered. */
  readonly onLogged: (action: LoggedAction) => void
}

interface Result {
  readonly outcome: OperatorOutcome
  readonly said: string
}

/** Does what operators ask for, each request once, and logs who asked, when, and what was done. Rule OPS-R9. */
export class OperatorActions {
  readonly #context: ActionContext
  readonly #running = new Map<string, Promise<LoggedAction>>()

  constructor(context: ActionContext) {
    this.#context = context
  }

  operate(request: OperatorRequest): Promise<LoggedAction> {
    const running = this.#running.get(request.id)
    if (running) return running
    const known = this.#context.store.action(request.id)
    // One that is `begun` and not under way was ended with its object: it is done again, as each may be.
    if (known !== null && known.outcome !== 'begun') return Promise.resolve(known)
    const run = this.#run(known ?? request).finally(() => this.#running.delete(request.id))
    this.#running.set(request.id, run)
    return run
  }

  async #run({ id, by, action }: OperatorRequest): Promise<LoggedAction> {
    const { store, nowMs, onLogged } = this.#context
    const begun: LoggedAction = { id, by, action, atMs: nowMs(), outcome: 'begun', said: '' }
    const isRepeated = store.action(id) !== null
    store.putAction(begun)
    const result = await this.#do(id, by, action, isRepeated).catch((error: unknown): Result => {
      const { kind, message } = toTidemarkError(error)
      return { outcome: 'failed', said: `${kind}: ${message}` }
    })
    const logged = { ...begun, ...result }
    store.putAction(logged)
    onLogged(logged)
    return logged
  }

  #do(id: string, by: string, action: OperatorAction, isRepeated: boolean): Promise<Result> {
    switch (action.kind) {
      case 'pause-capture':
        return this.#pause(by, action.minutes)
      case 'resume-capture':
        return this.#resume()
      case 'rebuild-slot':
        return this.#rebuild(id, isRepeated)
      case 'drop-snapshot':
        return this.#drop(action.audience)
      case 'rehydrate-client':
        return this.#rehydrate(action.client, action.object)
      case 'disconnect-client':
        return this.#disconnect(action.client, action.object)
    }
  }

  async #pause(by: string, minutes: number): Promise<Result> {
    const { storage, loop, nowMs } = this.#context
    const known = storage.pause
    const untilMs = nowMs() + minutes * MINUTE_MS
    await loop.pause({ sinceMs: known?.sinceMs ?? nowMs(), untilMs, by })
    const until = new Date(untilMs).toISOString()
    if (known !== null) return { outcome: 'already', said: `Capture was paused already; it is now until ${until}.` }
    return { outcome: 'done', said: `Capture stands still until ${until}; the slot keeps its place.` }
  }

  async #resume(): Promise<Result> {
    const { storage, loop } = this.#context
    if (storage.pause === null) return { outcome: 'already', said: 'Capture was not paused.' }
    storage.pause = null
    loop.noteActivity()
    try {
      await loop.run()
      return { outcome: 'done', said: `Capture goes on, and has reached ${loop.requireState().capturedTo}.` }
    } catch (error) {
      return {
        outcome: 'pending',
        said: `Capture is no longer paused, and tries again: ${toTidemarkError(error).message}`,
      }
    }
  }

  async #rebuild(id: string, isRepeated: boolean): Promise<Result> {
    const { storage, loop } = this.#context
    if (storage.pause !== null) return { outcome: 'failed', said: 'Capture is paused: resume it first.' }
    if (isRepeated && storage.read().epoch !== null && storage.read().rebuild === null)
      return { outcome: 'done', said: `A new history had begun: ${storage.read().epoch}.` }
    try {
      const { epoch } = await loop.rebuild(id)
      return { outcome: 'done', said: `A new slot was made and history ${epoch.id} began; every client loads anew.` }
    } catch (error) {
      const { message } = toTidemarkError(error)
      return { outcome: 'pending', said: `The next cycle that can makes a new slot; now: ${message}` }
    }
  }

  async #drop(audience: string): Promise<Result> {
    const { snapshots, store } = this.#context
    const isDropped = await snapshots.getByName(audience).drop()
    store.noteDropped(audience)
    if (!isDropped) return { outcome: 'already', said: 'There was no snapshot of this audience.' }
    return { outcome: 'done', said: 'The snapshot is withdrawn; the next client that needs one has it built.' }
  }

  async #rehydrate(client: string, object: string | null): Promise<Result> {
    const at = this.#objectOf(client, object)
    if (at === null) return NOT_SEEN
    const { sockets, isRepeated } = await this.#context.objects.getByName(at).rehydrateClient(client)
    if (isRepeated) return { outcome: 'already', said: `${at} had told it so, and it has not loaded all yet.` }
    if (sockets > 0) return { outcome: 'done', said: `${at} told it to load everything anew; its outbox stays.` }
    return { outcome: 'pending', said: `It is not connected; ${at} tells it once it is. Its outbox stays.` }
  }

  async #disconnect(client: string, object: string | null): Promise<Result> {
    const at = this.#objectOf(client, object)
    if (at === null) return NOT_SEEN
    const { sockets } = await this.#context.objects.getByName(at).disconnectClient(client)
    if (sockets === 0) return { outcome: 'already', said: `It was not connected to ${at}.` }
    return {
      outcome: 'done',
      said: `${at} closed ${sockets === 1 ? 'its socket' : `${sockets} sockets`}; it connects again.`,
    }
  }

  #objectOf(client: string, object: string | null): string | null {
    return object ?? this.#context.router.serverOf(client)
  }
}

const NOT_SEEN: Result = {
  outcome: 'failed',
  said: 'No SyncDO has seen this client lately: name the object that serves it.',
}
