import {
  clientAudience,
  type ErrorKind,
  type FrameDown,
  type Lsn,
  PING_TEXT,
  PONG_TEXT,
  TidemarkError,
  ZERO_LSN,
} from '../../protocol/index.ts'
import type { Session, UnsentWork } from '../contracts.ts'
import { fullBucket } from '../token-bucket.ts'
import type { SyncLimits } from './options.ts'
import type { Author } from './rules/author.ts'
import { type KeptState, keptOf, mustKeep, restoredState, unkeptChars } from './rules/kept-state.ts'
import type { Position } from './rules/position.ts'
import type { SessionState } from './rules/session-state.ts'
import { acknowledge } from './rules/window.ts'
import type { SyncStorage } from './storage/sync-storage.ts'

/** Reasons of a close frame hold at most 123 bytes. */
const REASON_CHARS = 100

interface SessionKeeping {
  /** The log's head. */
  readonly headOf: () => Lsn | null
  /** So many characters may be sent before their count is kept. */
  readonly unkept: number
  /** Called with each fault that a session is told. */
  readonly onFault: (state: SessionState, error: TidemarkError, nowMs: number) => void
}

/** One socket and what is known of it. */
export class SyncSession {
  readonly socket: WebSocket
  claims: Session['claims']
  audiences: readonly string[] = []
  seen: ReadonlySet<string> = new Set()
  /** True while something asynchronous works for this session; at most one does. */
  busy = false
  state: SessionState
  /** What was sent may be counted short by so much, because the count is not kept with each frame. */
  #uncountedChars: number
  readonly #headOf: () => Lsn | null
  readonly #unkept: number
  readonly #onFault: SessionKeeping['onFault']
  #kept: KeptState
  #author: Author | null = null

  /** `isRestored`: the socket outlived its object, and `kept` is its attachment. */
  constructor(
    socket: WebSocket,
    kept: KeptState,
    right: Pick<Session, 'audiences' | 'claims'>,
    { headOf, unkept, onFault, isRestored }: SessionKeeping & { readonly isRestored: boolean },
  ) {
    this.socket = socket
    this.state = isRestored ? restoredState(kept, headOf()) : kept
    this.#uncountedChars = isRestored ? (kept.uncounted ?? 0) + unkept : 0
    this.#unkept = unkept
    this.#headOf = headOf
    this.#onFault = onFault
    this.#kept = kept
    this.claims = right.claims
    this.mayNowSee(right.audiences)
    // Whatever is sent from here on may be uncounted too.
    if (isRestored) this.#keep()
  }

  mayNowSee(audiences: readonly string[]): void {
    this.audiences = audiences
    this.seen = new Set(audiences)
  }

  /** True until its audiences are asked for anew; nothing more may be sent to it meanwhile. */
  get rightsInDoubt(): boolean {
    return this.state.rightsChanged !== this.state.rightsAsked
  }

  /** The author as whom it is told its client's mutations; null until the client is known to be its user's. */
  get author(): Author | null {
    const { client, settledTo, rowsTo } = this.state
    if (client === null) return null
    const known = this.#author
    if (known !== null && known.after === settledTo && known.rowsTo === rowsTo) return known
    // A client is bound once, so its audience stays.
    this.#author = { audience: known?.audience ?? clientAudience(client), after: settledTo, rowsTo }
    return this.#author
  }

  /** All audiences that are told to it: the app's, and its client's own, which the app never hears of. */
  get told(): readonly string[] {
    const { author } = this
    return author === null ? this.audiences : [...this.audiences, author.audience]
  }

  get open(): boolean {
    return this.state.phase !== 'closed' && this.socket.readyState === WebSocket.READY_STATE_OPEN
  }

  /** Takes up what the client has received; answers whether that can be. */
  acknowledge(received: number): boolean {
    const window = acknowledge(this.state, received, this.#uncountedChars)
    if (window === null) return false
    this.#uncountedChars -= window.sent - this.state.sent
    this.state = { ...this.state, ...window }
    return true
  }

  /** Changes the state, and keeps it. */
  update(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change }
    this.#keep()
  }

  /**
   * Keeps where the session is, unless that follows from what is kept. It is called in the turn in which the session
   * or the log's head moved, because the object may be gone after any. Rule DIS-R25.
   */
  keepPlace(): void {
    if (mustKeep(this.#kept, this.state, this.#headOf(), this.#unkept)) this.#keep()
  }

  #keep(): void {
    this.#kept = { ...keptOf(this.state, this.#headOf()), uncounted: this.#uncountedChars }
    this.socket.serializeAttachment(this.#kept)
  }

  /** Sends the text of a frame and counts it; its place is kept by `keepPlace`. A socket that fails is as good as closed. */
  sendText(text: string, nowMs: number, position: Position): boolean {
    // The socket is not asked whether it is open: that costs more than sending, which fails where it is not.
    if (this.state.phase === 'closed') return false
    try {
      this.socket.send(text)
    } catch {
      this.update({ phase: 'closed' })
      return false
    }
    this.state = { ...this.state, position, sent: this.state.sent + text.length, lastSentMs: nowMs }
    return true
  }

  sendFrame(frame: FrameDown, nowMs: number, change: Partial<SessionState> = {}): boolean {
    if (!this.open) return false
    const text = JSON.stringify(frame)
    try {
      this.socket.send(text)
    } catch {
      this.update({ phase: 'closed' })
      return false
    }
    this.update({ ...change, sent: this.state.sent + text.length, lastSentMs: nowMs })
    return true
  }

  /** Sends a fault that says why, and closes with the kind's code. */
  fault(error: TidemarkError, nowMs: number): void {
    this.#onFault(this.state, error, nowMs)
    this.sendFrame({ type: 'fault', kind: error.kind, message: error.message }, nowMs)
    this.close(error.closeCode, error.kind)
  }

  refuse(kind: ErrorKind, message: string, nowMs: number): void {
    this.fault(new TidemarkError(kind, message), nowMs)
  }

  close(code: number, reason: string): void {
    if (this.state.phase !== 'closed') this.update({ phase: 'closed' })
    try {
      this.socket.close(code, reason.slice(0, REASON_CHARS))
    } catch {
      // The socket is gone already.
    }
  }
}

/** All sockets of this object, restored from their attachments after hibernation or eviction. */
export class Sessions {
  readonly #ctx: DurableObjectState
  readonly #storage: SyncStorage
  readonly #bySocket = new Map<WebSocket, SyncSession>()
  readonly #keeping: SessionKeeping

  constructor(ctx: DurableObjectState, storage: SyncStorage, windowChars: number) {
    this.#ctx = ctx
    this.#storage = storage
    this.#keeping = { headOf: () => storage.state.head, unkept: unkeptChars(windowChars), onFault: this.#noteFault }
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING_TEXT, PONG_TEXT))
    for (const socket of ctx.getWebSockets()) {
      const kept = socket.deserializeAttachment() as KeptState | null
      const stored = kept ? storage.session(kept.id) : null
      if (kept && stored && kept.phase !== 'closed')
        this.#bySocket.set(socket, new SyncSession(socket, kept, stored, { ...this.#keeping, isRestored: true }))
      else socket.close(1011, 'lost')
    }
    storage.keepSessions([...this.#bySocket.values()].map((session) => session.state.id))
  }

  *[Symbol.iterator](): Generator<SyncSession> {
    for (const session of this.unclosed()) if (session.open) yield session
  }

  /** Answers those that are not known to have closed: the sockets are not asked, which for thousands costs much. */
  unclosed(): SyncSession[] {
    return [...this.#bySocket.values()].filter(({ state }) => state.phase !== 'closed')
  }

  get count(): number {
    return this.#bySocket.size
  }

  /** Sums up what clients report of work that is not settled. */
  unsent(nowMs: number): UnsentWork {
    const reports = [...this].flatMap(({ state }) => state.unsent ?? [])
    const late = reports.flatMap(({ sinceMs }) => sinceMs ?? [])
    const oldestMs = late.length === 0 ? null : nowMs - late.reduce((oldest, sinceMs) => Math.min(oldest, sinceMs))
    return { lateClients: late.length, oldestMs, failedClients: reports.filter(({ failed }) => failed > 0).length }
  }

  of(socket: WebSocket): SyncSession | null {
    return this.#bySocket.get(socket) ?? null
  }

  ofUser(userId: string): SyncSession[] {
    return [...this].filter((session) => session.state.userId === userId)
  }

  ofClient(client: string): SyncSession[] {
    return [...this].filter((session) => session.state.client === client)
  }

  accept(socket: WebSocket, right: Session, limits: SyncLimits, nowMs: number): SyncSession {
    const state: SessionState = {
      id: crypto.randomUUID(),
      userId: right.userId,
      phase: 'opened',
      client: null,
      settledTo: ZERO_LSN,
      rowsTo: null,
      position: null,
      sent: 0,
      acked: 0,
      expiresAtMs: right.expiresAtMs,
      openedAtMs: nowMs,
      streamSinceMs: nowMs,
      lastSentMs: nowMs,
      fullSinceMs: null,
      messages: fullBucket(limits.messages, nowMs),
      rightsChanged: 0,
      rightsAsked: 0,
    }
    this.#storage.putSession(state.id, right)
    this.#ctx.acceptWebSocket(socket)
    socket.serializeAttachment(state)
    const session = new SyncSession(socket, state, right, { ...this.#keeping, isRestored: false })
    this.#bySocket.set(socket, session)
    return session
  }

  /** Keeps the last error of each client for operators; that a token ran out is none. */
  readonly #noteFault = ({ client }: SessionState, { kind, message }: TidemarkError, atMs: number): void => {
    if (client !== null && kind !== 'token-expired') this.#storage.clients.putError(client, { atMs, kind, message })
  }

  /** Forgets a socket that has closed. */
  drop(session: SyncSession): void {
    if (session.state.phase !== 'closed') session.state = { ...session.state, phase: 'closed' }
    this.#bySocket.delete(session.socket)
    this.#storage.dropSession(session.state.id)
  }
}
