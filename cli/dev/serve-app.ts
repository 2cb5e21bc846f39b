import { TidemarkError, toTidemarkError } from '../../protocol/errors.ts'
import { loadSyncModule } from '../app/load-module.ts'
import { agree, hashFolder, type SourceHashes } from '../app/source-hash.ts'
import type { DatabaseAccess } from '../database.ts'
import type { ServerMessage } from './gated-dev-env.ts'
import { prepareDatabase } from './prepare-database.ts'
import { watchApp } from './watch-app.ts'
import { startWorkerServer, type WorkerServer, type WorkerServerOptions } from './worker-server.ts'

export interface ServeOptions extends Omit<WorkerServerOptions, 'onMessage'> {
  readonly access: DatabaseAccess
}

/**
 * Bounds restarts: a build that writes into the app's folder looks like a save, and must not retry a failed start for
 * ever.
 */
const STARTS_IN_A_ROW = 2
/** So begins what is said of files that did not run. */
const NOT_MIGRATED = 'Nothing was migrated'

/**
 * Puts the app's definition in force and serves its Worker, then does both again after each save. Settles when the
 * Worker is up.
 *
 * A mistake ends nothing: it is printed once, what was in force before stays so, and the next save is tried. Rejects with
 * a fault that no save can mend, and when the run ends before.
 */
export function serveApp(options: ServeOptions): Promise<WorkerServer> {
  return new Promise((resolve, reject) => {
    const serving = new Serving(options, resolve, reject)
    const watch = watchApp(options.app.root, options.data.root, () => serving.onSave())
    options.cleanup.add(async () => {
      watch.close()
      reject(new TidemarkError('unavailable', 'Stopped while starting.'))
    })
    serving.attempt()
  })
}

/** A Worker that is built and not yet served. */
interface Built {
  readonly build: number
  readonly sources: SourceHashes
  /** The hash of the sync module that it was built of; null until that has been read. */
  readonly hash: string | null
}

class Serving {
  readonly #options: ServeOptions
  readonly #onUp: (server: WorkerServer) => void
  readonly #onEnd: (error: unknown) => void
  #server: WorkerServer | null = null
  /** The hash of the sync module whose definition was put in force last; null where that failed. */
  #inForce: string | null = null
  /** The hash of the migrations as they were when that was done. */
  #migrated: string | null = null
  #built: Built | null = null
  /** Why the last saved state does not build or start, until it is printed. */
  #failure: string | null = null
  /** The last printed slip, until it is mended. */
  #told: string | null = null
  #attempting = false
  #again = false
  #starts = 0

  constructor(options: ServeOptions, onUp: (server: WorkerServer) => void, onEnd: (error: unknown) => void) {
    this.#options = options
    this.#onUp = onUp
    this.#onEnd = onEnd
  }

  /** While all is well wrangler reports saves of modules; after a slip any file may mend it. */
  onSave(): void {
    if (this.#told !== null) this.#server?.onSave()
    if (this.#told !== null || this.#attempting || this.#hasNewMigrations()) this.attempt()
  }

  #hasNewMigrations(): boolean {
    return this.#server !== null && hashFolder(this.#options.app.migrations) !== this.#migrated
  }

  attempt(): void {
    if (this.#attempting) this.#again = true
    else void this.#attemptAll()
  }

  async #attemptAll(): Promise<void> {
    this.#attempting = true
    this.#starts = 0
    do {
      this.#again = false
      await this.#attemptOnce()
    } while (this.#again && !this.#options.cleanup.begun && (this.#server !== null || this.#starts < STARTS_IN_A_ROW))
    this.#attempting = false
  }

  async #attemptOnce(): Promise<void> {
    try {
      await this.#putInForce()
      if (this.#options.cleanup.begun) return
      if (this.#server === null) await this.#start()
      else this.#serveBuilt()
    } catch (error) {
      if (this.#options.cleanup.begun) return
      this.#tell(error)
    }
  }

  async #putInForce(): Promise<void> {
    const { app, access, cleanup } = this.#options
    const built = this.#built
    // A build of a module that does not load, or was saved since, is never served: another is built of the next state.
    if (built?.hash === null) this.#built = null
    const { sync, hash, sources } = await loadSyncModule(app.syncModule)
    if (built?.hash === null && agree(built.sources, sources)) this.#built ??= { ...built, hash }
    const migrations = hashFolder(app.migrations)
    if ((hash === this.#inForce && migrations === this.#migrated) || cleanup.begun) return
    this.#inForce = null
    // Told once, a slip in a migration is not tried again before another save.
    this.#migrated = migrations
    try {
      await prepareDatabase(access, app, sync, cleanup, this.#server !== null)
    } catch (error) {
      const { kind, message } = toTidemarkError(error)
      // What keeps a migration from running is said of its file.
      const what = message.startsWith(NOT_MIGRATED) ? '' : `${app.syncModule} was not put in force: `
      throw new TidemarkError(kind, `${what}${message}`, { cause: error })
    }
    this.#inForce = hash
  }

  async #start(): Promise<void> {
    this.#starts += 1
    console.log('Starting the Worker …')
    try {
      this.#server = await startWorkerServer({ ...this.#options, onMessage: (message) => this.#onMessage(message) })
    } catch (error) {
      if (toTidemarkError(error).kind === 'bad-input') throw error
      this.#onEnd(error)
      return
    }
    this.#told = null
    this.#onUp(this.#server)
  }

  #onMessage(message: ServerMessage): void {
    if (message.kind === 'served') {
      if (this.#told !== null) console.log('Mended: what was saved is in force.')
      this.#told = null
      return
    }
    this.#built = message.kind === 'built' ? { build: message.build, sources: message.sources, hash: null } : null
    this.#failure = message.kind === 'failed' ? message.reason : null
    this.attempt()
  }

  #serveBuilt(): void {
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw new TidemarkError('bad-input', `The Worker does not build or start: ${failure}`)
    // The module was saved since, and another Worker is being built of it.
    if (this.#built === null || this.#built.hash !== this.#inForce) return
    this.#server?.serve(this.#built.build)
    this.#built = null
  }

  #tell(error: unknown): void {
    const { message } = toTidemarkError(error)
    this.#failure = null
    if (message === this.#told) return
    this.#told = message
    const meanwhile = this.#server === null ? 'dev waits' : 'the last state that worked is served'
    console.error(`tidemark: ${message}\nMend it and save, and dev goes on by itself; until then ${meanwhile}.`)
  }
}
