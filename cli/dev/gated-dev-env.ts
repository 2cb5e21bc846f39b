import { unstable_DevEnv as DevEnv } from 'wrangler'
import type { SourceHashes } from '../app/source-hash.ts'
import { readBuiltSources } from './built-sources.ts'

/** Messages of the process that serves the Worker to `tidemark dev`. */
export type ServerMessage =
  /** A Worker is built of these files, and waits until it is asked for by its number. */
  | { readonly kind: 'built'; readonly build: number; readonly sources: SourceHashes }
  /** The Worker that was asked for is served. */
  | { readonly kind: 'served' }
  /** The last saved state does not build, or does not start; the Worker served before is still served. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Faults after which wrangler watches no more and must be asked to build again. */
const WATCH_ENDED = new Set([
  'Failed to construct initial bundle',
  'Failed to restart bundler after exports changed',
  'Failed to start bundler',
])

type ServerEvent = Parameters<DevEnv['dispatch']>[0]
type EventOf<Type extends ServerEvent['type']> = Extract<ServerEvent, { type: Type }>

/**
 * Wrangler's development server with a gate: it watches and builds as usual, but a finished Worker is served only once
 * it is asked for, and the one before is served until then and whenever the new one does not start.
 *
 * By itself wrangler holds requests back from a save on until something builds, and ends where the Worker does not
 * start.
 */
export class GatedDevEnv extends DevEnv {
  readonly #tell: (message: ServerMessage) => void
  #builds = 0
  #built: EventOf<'bundleComplete'> | null = null
  #served: EventOf<'reloadComplete'> | null = null
  /** The Worker that the runtime is starting: one at a time, so that it is known which one does not start. */
  #starting: 'new' | 'former' | null = null
  #wanted = false
  /** False where the first build of a configuration, or of a module with other exports, failed. */
  #watching = true

  constructor(tell: (message: ServerMessage) => void) {
    super()
    this.#tell = tell
  }

  override dispatch(event: ServerEvent): void {
    switch (event.type) {
      case 'bundleStart':
        if (this.#served === null) super.dispatch(event)
        return
      case 'configUpdate':
        super.dispatch(event)
        this.#unpause()
        return
      case 'bundleComplete':
        this.#builds += 1
        this.#built = event
        this.#wanted = false
        this.#watching = true
        this.#tell({ kind: 'built', build: this.#builds, sources: readBuiltSources(event.bundle.path) })
        return
      case 'reloadComplete': {
        const started = this.#starting
        this.#served = event
        this.#starting = null
        super.dispatch(event)
        if (started === 'new') this.#tell({ kind: 'served' })
        this.#startWanted()
        return
      }
      case 'error':
        if (!this.#goOnAfter(event)) super.dispatch(event)
        return
      default:
        super.dispatch(event)
    }
  }

  /** Does nothing where another Worker was built since: that one has to be asked for itself. */
  serve(build: number): void {
    if (build !== this.#builds) return
    this.#wanted = true
    if (this.#starting === null) this.#startWanted()
  }

  onSave(): void {
    if (!this.#watching) void this.config.patch({})
  }

  /** Lets requests through again, which the server holds back after a change of configuration. */
  #unpause(): void {
    if (this.#served !== null && this.#starting === null) super.dispatch(this.#served)
  }

  /** Starts the Worker that was asked for; false where there is none. */
  #startWanted(): boolean {
    const built = this.#built
    if (!this.#wanted || built === null) return false
    this.#wanted = false
    this.#built = null
    this.#starting = 'new'
    super.dispatch(built)
    return true
  }

  #startFormer(): void {
    if (this.#served === null) return
    const { config, bundle } = this.#served
    this.#starting = 'former'
    super.dispatch({ type: 'bundleComplete', config, bundle })
  }

  /** Handles a fault that a save can mend; false for any other. */
  #goOnAfter(event: EventOf<'error'>): boolean {
    switch (event.source) {
      case 'BundlerController':
      case 'ConfigController':
        this.#tell({ kind: 'failed', reason: describeFault(event.cause) })
        if (WATCH_ENDED.has(event.reason)) this.#watching = false
        return true
      case 'LocalRuntimeController':
        if (this.#starting === 'former') return false
        this.#starting = null
        this.#tell({ kind: 'failed', reason: describeFault(event.cause) })
        if (!this.#startWanted()) this.#startFormer()
        return true
      default:
        return false
    }
  }
}

interface BuildFault {
  readonly text: string
  readonly location: { readonly file: string; readonly line: number; readonly column: number } | null
}

export function describeFault(cause: { readonly message: string }): string {
  const errors = 'errors' in cause && Array.isArray(cause.errors) ? (cause.errors as BuildFault[]) : []
  if (errors.length === 0) return cause.message
  return errors
    .map(({ text, location }) => (location ? `${location.file}:${location.line}:${location.column}: ${text}` : text))
    .join('\n')
}
