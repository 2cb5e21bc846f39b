import {
  clientAudience,
  type ErrorKind,
  type FrameDown,
  PING_TEXT,
  PONG_TEXT,
  TidemarkError,
  ZERO_LSN,
} from '../../protocol/index.ts'
import type { Session, UnsentWork } from '../contracts.ts'
import { fullBucket } from '../token-bucket.ts'
import type { SyncLimits } from './options.ts'
import type { Author } from './rules/author.ts'
import type { SessionState } from './rules/session-state.ts'
import type { SyncStorage } from './storage/sync-storage.ts'

/** Reasons of a close frame hold at most 123 bytes. */
const REASON_CHARS = 100

/** One socket and what is known of it. */
export class SyncSession {
  readonly socket: WebSocket
  claims: Session['claims']
  audiences: readonly string[] = []
  seen: ReadonlySet<string> = new Set()
  /** True while something asynchronous works for this session; at most one does. */
  busy = false
  state: SessionState
  readonly #onFault: (state: SessionState, error: TidemarkError, nowMs: number) => void

  constructor(
    socket: WebSocket,
    state: SessionState,
    right: Pick<Session, 'audiences' | 'claims'>,
    onFault: (state: SessionState, error: TidemarkError, nowMs: number) => void,
  ) {
    this.socket = socket
    this.state = state
    this.#onFault = onFault
    this.claims = right.claims
    this.mayNowSee(right.audiences)
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
    return client === null ? null : { audience: clientAudience(client), after: settledTo, rowsTo }
  }

  /** All audiences that are told to it: the app's, and its client's own, which the app never hears of. */
  get told(): readonly string[] {
    const { author } = this
    return author === null ? this.audiences : [...this.audiences, author.audience]
  }

  get open(): boolean {
    return this.state.phase !== 'closed' && this.socket.readyState === WebSocket.READY_STATE_OPEN
  }

  update(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change }
    this.socket.serializeAttachment(this.state)
  }

  /** Sends one frame's text and counts it; a socket that fails is as good as closed. */
  send(text: string, nowMs: number, change: Partial<SessionState> = {}): boolean {
    if (!this.open) return false
    try {
      this.socket.send(text)
    } catch {
      this.update({ phase: 'closed' })
      return false
    }
    this.update({ ...change, sent: this.state.sent + text.length, lastSentMs: nowMs })
    return true
  }

  sendFrame(frame: FrameDown, nowMs: number, change: Partial<SessionState> = {}): boolean {
    return this.send(JSON.stringify(frame), nowMs, change)
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

  constructor(ctx: DurableObjectState, storage: SyncStorage) {
    this.#ctx = ctx
    this.#storage = storage
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING_TEXT, PONG_TEXT))
    for (const socket of ctx.getWebSockets()) {
      const state = socket.deserializeAttachment() as SessionState | null
      const stored = state ? storage.session(state.id) : null
      if (state && stored && state.phase !== 'closed')
        this.#bySocket.set(socket, new SyncSession(socket, state, stored, this.#noteFault))
      else socket.close(1011, 'lost')
    }
    storage.keepSessions([...this.#bySocket.values()].map((session) => session.state.id))
  }

  *[Symbol.iterator](): Generator<SyncSession> {
    for (const session of [...this.#bySocket.values()]) if (session.open) yield session
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
    const session = new SyncSession(socket, state, right, this.#noteFault)
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
