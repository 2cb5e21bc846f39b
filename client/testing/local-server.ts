import type { ConflictPolicy } from '../../db/define-sync.ts'
import {
  type Definition,
  type FrameUp,
  type Hello,
  type Lsn,
  leasesRequestSchema,
  type Manifest,
  MarkerEncoder,
  type Outcome,
  type PredictedChange,
  type PushedMutation,
  predictedByPatch,
  pushRequestSchema,
  type Rejection,
  type WireChange,
} from '../../protocol/index.ts'
import type { Link } from '../connection/link.ts'
import { LocalHistory } from './local-history.ts'
import { LocalSocket } from './local-socket.ts'
import { refusalOf } from './rules/decide-mutation.ts'
import type { ServerTables } from './rules/server-tables.ts'

interface LocalServerOptions {
  readonly definition: Definition
  readonly tables: ServerTables
  readonly audiences: readonly string[]
  readonly policies: ReadonlyMap<string, ConflictPolicy>
  /** True while mutations wait to be decided by hand. */
  holds: boolean
}

const EPOCH = 'epoch-of-a-test'
const HASH = 'definition-of-a-test'

/**
 * The server of one replica in its own process: it answers what a deployment would, from rows in memory. It keeps every
 * commit and outcome, for as long as the test's replica is there.
 */
export class LocalServer {
  readonly history = new LocalHistory()
  readonly #options: LocalServerOptions
  readonly #outcomes = new Map<number, Outcome>()
  readonly #rejected = new Set<number>()
  /** Mutations that arrived and wait to be decided, by their number. */
  readonly #held = new Map<number, PushedMutation>()
  #waiting: (() => void)[] = []
  /** The sockets that stream, and how far each was sent. */
  readonly #streams = new Map<LocalSocket, Lsn>()

  constructor(options: LocalServerOptions) {
    this.#options = options
  }

  readonly link: Link = {
    fetch: async (input, init) => {
      const url = new URL(String(input))
      const signal = init?.signal ?? new AbortController().signal
      const answer = await this.#answer(url.pathname, init?.body, signal)
      return answer === null ? new Response('', { status: 404 }) : Response.json(answer)
    },
    openSocket: () => new LocalSocket((frame, socket) => this.#receiveFrame(frame, socket)),
  }

  get held(): readonly number[] {
    return [...this.#held.keys()]
  }

  /** Commits as others do. */
  commit(changes: readonly WireChange[]): void {
    this.history.commit(changes)
    this.#sendNews()
  }

  /** Decides what is held from now on, or holds what comes. */
  hold(holds: boolean): void {
    this.#options.holds = holds
    if (!holds) for (const counter of this.held) this.decide(counter, null)
  }

  /** Decides a held mutation, after those before it; null commits it, unless it cannot be. */
  decide(counter: number, rejection: Rejection | null): void {
    for (const [earlier, mutation] of [...this.#held]) {
      if (earlier > counter) continue
      this.#held.delete(earlier)
      this.#outcome(mutation, earlier === counter ? rejection : null)
    }
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #outcome(mutation: PushedMutation, wanted: Rejection | null): void {
    const { counter } = mutation
    const { tables, policies } = this.#options
    const rejection = wanted ?? this.#foreign(mutation) ?? refusalOf(mutation, tables, policies, this.#rejected)
    if (rejection) {
      this.#rejected.add(counter)
      this.#outcomes.set(counter, { counter, status: 'rejected', rejection })
      this.history.commit([], [{ o: 'm', c: counter, r: rejection }])
    } else {
      const predicted = predictedOf(mutation)
      const changes = predicted.flatMap((change) => tables.write(change))
      const encoder = new MarkerEncoder(predicted)
      this.#outcomes.set(counter, { counter, status: 'committed' })
      this.history.commit(changes, [{ o: 'm', c: counter }, ...changes.map((change) => encoder.encode(change))])
    }
    this.#sendNews()
  }

  #foreign(mutation: PushedMutation): Rejection | null {
    const foreign = predictedOf(mutation).find(({ a }) => !this.#options.audiences.includes(a))
    return foreign ? { kind: 'forbidden', message: `The user does not see ${foreign.a}.`, table: foreign.t } : null
  }

  async #answer(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const { definition } = this.#options
    const inForce = { epoch: EPOCH, definitionVersion: 1, definitionHash: HASH, definition }
    const version = { version: 1, hash: HASH, lsn: this.history.start, definition, steps: [] }
    const [, , route, audience = ''] = path.split('/')
    switch (route) {
      case 'head':
        return { epoch: EPOCH, lsn: this.history.head }
      case 'definition':
        return { ...inForce, head: this.history.head }
      case 'migrations':
        return { epoch: EPOCH, versions: [version] }
      case 'snapshot':
        return this.#manifest(decodeURIComponent(audience))
      case 'outcomes':
        return { epoch: EPOCH, outcomes: [] }
      case 'leases': {
        const { wanted } = leasesRequestSchema.parse(JSON.parse(String(body)))
        const { tables } = this.#options
        return {
          keys: Object.fromEntries(Object.entries(wanted).map(([name, count]) => [name, tables.draw(name, count)])),
        }
      }
      case 'push':
        return { outcomes: await this.#receivePush(String(body), signal), retry: null }
      default:
        return null
    }
  }

  /** Nothing is in the snapshot: every row comes by the stream. */
  #manifest(audience: string): Manifest {
    const { definition } = this.#options
    return {
      epoch: EPOCH,
      audience,
      definitionVersion: 1,
      definitionHash: HASH,
      definition,
      start: this.history.start,
      fence: this.history.head,
      snapshot: '1:1:',
      builtAt: new Date().toISOString(),
      tables: definition.tables.map(({ id, columns }) => ({
        table: id,
        columns: columns.filter(({ generated }) => generated === null).map(({ name }) => name),
        rows: 0,
        bytes: 0,
        chunks: [],
      })),
    }
  }

  /** Answers the outcomes of a push once all of it is decided. */
  async #receivePush(body: string, signal: AbortSignal): Promise<Outcome[]> {
    const { mutations } = pushRequestSchema.parse(JSON.parse(body))
    const pushed = mutations as PushedMutation[]
    for (const mutation of pushed) {
      if (!this.#outcomes.has(mutation.counter)) this.#held.set(mutation.counter, mutation)
    }
    for (const wake of this.#waiting.splice(0)) wake()
    if (!this.#options.holds) for (const { counter } of pushed) this.decide(counter, null)
    while (pushed.some(({ counter }) => !this.#outcomes.has(counter))) {
      signal.throwIfAborted()
      await this.nextStep(signal)
    }
    return pushed.flatMap(({ counter }) => this.#outcomes.get(counter) ?? [])
  }

  /** Resolves when a push arrives or a mutation is decided, or when the signal aborts. */
  async nextStep(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #receiveFrame(frame: FrameUp, socket: LocalSocket): void {
    if (frame.type === 'hello') this.#greet(frame, socket)
    if (frame.type !== 'stream') return
    if (this.#streams.has(socket)) socket.push({ type: 'restarted', from: frame.from })
    this.#sendTo(socket, frame.from, frame.rowsTo ?? null)
  }

  #greet(hello: Hello, socket: LocalSocket): void {
    const holds = hello.epoch === EPOCH && hello.definitionHash === HASH
    socket.push({
      type: 'welcome',
      epoch: EPOCH,
      head: this.history.head,
      definitionVersion: 1,
      definitionHash: HASH,
      audiences: [...this.#options.audiences],
      resume: holds ? 'stream' : 'hydrate',
      reason: holds ? null : 'new',
      windowBytes: Number.MAX_SAFE_INTEGER,
    })
    // A replica that holds something is sent what follows at once; another one loads first, and asks.
    if (holds && hello.cursor !== null) this.#sendTo(socket, hello.cursor, null)
  }

  #sendNews(): void {
    for (const [socket, from] of this.#streams) {
      if (socket.isOpen) this.#sendTo(socket, from, null)
      else this.#streams.delete(socket)
    }
  }

  #sendTo(socket: LocalSocket, from: Lsn, rowsTo: Lsn | null): void {
    const { head } = this.history
    socket.push({ type: 'batch', from, to: head, head, transactions: this.history.after(from, rowsTo) })
    this.#streams.set(socket, head)
  }
}

const predictedOf = (mutation: PushedMutation): readonly PredictedChange[] =>
  mutation.kind === 'patch' ? predictedByPatch(mutation.rows) : (mutation.predicted ?? [])
