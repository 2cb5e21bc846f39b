import {
  type FrameDown,
  type FrameUp,
  type Hello,
  kindOfCloseCode,
  type Lsn,
  PING_TEXT,
  PONG_TEXT,
  type RehydrateReason,
  SUBPROTOCOL,
  TidemarkError,
  TOKEN_SUBPROTOCOL_PREFIX,
  toTidemarkError,
  type Welcome,
} from '../../protocol/index.ts'
import type { FrameCounts } from '../inspection.ts'
import { INITIAL_STATE, transition } from './connection-machine.ts'
import type { ConnectionEffect, ConnectionEvent, ConnectionState } from './connection-state.ts'
import { readFrame } from './frame-reader.ts'
import { type Link, SOCKET_OPEN, type Socket } from './link.ts'
import { loadFault } from './load-fault.ts'
import { MachineRunner } from './machine-runner.ts'
import type { SessionToken } from './session-token.ts'
import { encodeBase64Url, renewalDelayMs, tokenExpiryMs } from './token.ts'

/** Frames that carry rows or move the cursor. */
export type DataFrame = Extract<FrameDown, { type: 'batch' | 'part' | 'fragment' }>
/** Frames that must keep their order. */
export type StreamFrame = DataFrame | Extract<FrameDown, { type: 'audiences' | 'restarted' }>

/** The replica, as its connection calls it. */
export interface ConnectionHost {
  /** Resolves once the frames of earlier sockets are applied, so that the hello names the cursor that is held. */
  makeHello(): Promise<Hello>
  /** Judges a welcome by what the replica holds. */
  receiveWelcome(welcome: Welcome): 'stream' | 'hydrate'
  receiveRehydrate(reason: RehydrateReason): void
  /** Resolves once everything is loaded; rejects with TidemarkError. */
  hydrate(signal: AbortSignal): Promise<{ readonly epoch: string; readonly from: Lsn }>
  startStream(): void
  stopStream(): void
  /** A frame of the stream, and the count of frame characters received on this socket up to and including it. */
  receiveStreamFrame(frame: StreamFrame, received: number): void
  onStateChanged(state: ConnectionState): void
}

export interface ConnectionOptions {
  /** The base of the deployment's routes, `https://…` without a trailing slash. */
  readonly url: string
  /** The replica's id, by which the server may choose where it is served. */
  readonly client: string
  readonly token: SessionToken
  readonly openSocket: Link['openSocket']
  readonly host: ConnectionHost
  readonly now?: () => number
  readonly random?: () => number
}

/** The share of the server's window that is acknowledged at once; each acknowledgement wakes the server, so none has less. */
const ACK_SHARE = 1 / 4

/** Performs the machine's effects: socket, token, timers. It decides nothing. */
export class Connection {
  #options: ConnectionOptions
  readonly #runner: MachineRunner<ConnectionState, ConnectionEvent, ConnectionEffect>
  #socket: Socket | null = null
  #received = 0
  #frames: FrameCounts = { received: 0, receivedCharacters: 0, sent: 0 }
  #acknowledged = 0
  /** Characters, as the welcome says. */
  #window = 0
  #hydration: AbortController | null = null
  #tokenRequest = 0

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { host, now, random } = options
    this.#runner = new MachineRunner<ConnectionState, ConnectionEvent, ConnectionEffect>({
      initial: INITIAL_STATE,
      step: transition,
      onStep: (_, before, state) => {
        if (state.phase !== before.phase) host.onStateChanged(state)
      },
      performers: {
        'request-token': () => this.#requestToken(),
        'forget-token': () => this.#options.token.forgetToken(),
        'renew-token': () => this.#renewToken(),
        'open-socket': () => this.#openSocket(),
        'close-socket': () => this.#closeSocket(),
        'send-hello': () => this.#sendHello(),
        'send-ping': () => this.#sendText(PING_TEXT),
        'send-stream': ({ epoch, from }) => {
          // Frames that the load made needless are never applied; unacknowledged, they would fill the server's window.
          this.#sendAck(this.#received, from)
          this.#sendFrame({ type: 'stream', epoch, from })
        },
        'start-hydration': () => this.#startHydration(),
        'stop-hydration': () => this.#stopHydration(),
        'start-stream': () => this.#options.host.startStream(),
        'stop-stream': () => this.#options.host.stopStream(),
        'arm-retry': ({ delayMs }) => this.#runner.arm('retry', delayMs, { type: 'retry-due' }),
        'disarm-retry': () => this.#runner.disarm('retry'),
        'arm-heartbeat': ({ delayMs }) => this.#runner.arm('heartbeat', delayMs, { type: 'heartbeat' }),
        'disarm-heartbeat': () => this.#runner.disarm('heartbeat'),
      },
      ...(now ? { now } : {}),
      ...(random ? { random } : {}),
    })
  }

  get frames(): FrameCounts {
    return this.#frames
  }

  get state(): ConnectionState {
    return this.#runner.state
  }

  dispatch(event: ConnectionEvent): void {
    this.#runner.dispatch(event)
  }

  /** Acknowledges to the server, long before its window closes; less than a share of that it need not know. Rule DIS-R20. */
  acknowledge(received: number, cursor: Lsn | null): void {
    if (received - this.#acknowledged >= this.#window * ACK_SHARE) this.#sendAck(received, cursor)
  }

  #sendAck(received: number, cursor: Lsn | null): void {
    if (this.#socket === null) return
    this.#acknowledged = received
    this.#sendFrame({ type: 'ack', received, cursor })
  }

  /** Begins the stream anew on the open socket, own mutations as rows up to `rowsTo`; answered by a `restarted` frame. */
  restartStream(epoch: string, from: Lsn, rowsTo: Lsn | null): void {
    this.#sendFrame({ type: 'stream', epoch, from, ...(rowsTo === null ? {} : { rowsTo }) })
  }

  /** Reports to the server, on a greeted socket, what its health and status show of this replica. */
  sendReport(report: Extract<FrameUp, { type: 'refused' | 'schema' | 'unsent' }>): void {
    this.#sendFrame(report)
  }

  #stopHydration(): void {
    this.#hydration?.abort()
    this.#hydration = null
  }

  #sendHello(): void {
    const socket = this.#socket
    this.#options.host.makeHello().then(
      (hello) => socket === this.#socket && this.#sendFrame(hello),
      (error: unknown) => socket === this.#socket && this.dispatch({ type: 'failed', error: toTidemarkError(error) }),
    )
  }

  #requestToken(): void {
    const request = ++this.#tokenRequest
    const current = () => request === this.#tokenRequest && this.state.phase === 'authorizing'
    this.#options.token.getToken({ fresh: false }).then(
      () => current() && this.dispatch({ type: 'token-obtained' }),
      (error: unknown) => current() && this.dispatch({ type: 'token-failed', error: toTidemarkError(error) }),
    )
  }

  #renewToken(): void {
    const socket = this.#socket
    this.#options.token.getToken({ fresh: true }).then(
      (token) => {
        if (socket === null || socket !== this.#socket) return
        this.#sendFrame({ type: 'token', token })
        this.#armRenewal(token)
      },
      // The old token still holds; the server ends the session by type when it has run out.
      () => undefined,
    )
  }

  #armRenewal(token: string): void {
    this.#runner.disarm('renewal')
    const expiryMs = tokenExpiryMs(token)
    if (expiryMs === null) return
    const delayMs = renewalDelayMs(expiryMs, (this.#options.now ?? Date.now)())
    this.#runner.arm('renewal', delayMs, { type: 'renewal-due' })
  }

  #openSocket(): void {
    this.#received = 0
    this.#acknowledged = 0
    this.#options.token.getToken({ fresh: false }).then(
      (token) => {
        if (this.state.phase === 'connecting' && this.#socket === null) this.#openSocketWith(token)
      },
      (error: unknown) => this.dispatch({ type: 'failed', error: toTidemarkError(error) }),
    )
  }

  #openSocketWith(token: string): void {
    const url = `${this.#options.url.replace(/^http/, 'ws')}/sync/socket?client=${encodeURIComponent(this.#options.client)}`
    let socket: Socket
    try {
      const protocols = [SUBPROTOCOL, `${TOKEN_SUBPROTOCOL_PREFIX}${encodeBase64Url(token)}`]
      socket = this.#options.openSocket(url, protocols)
    } catch (cause) {
      const error = new TidemarkError('bad-input', `No socket can be opened at ${url}: check the url option.`, {
        cause,
      })
      this.dispatch({ type: 'failed', error })
      return
    }
    this.#socket = socket
    const current = () => this.#socket === socket
    socket.onopen = () => current() && this.dispatch({ type: 'socket-opened' })
    socket.onmessage = (message) => current() && this.#readMessage(message.data)
    socket.onclose = (close) => {
      if (!current()) return
      this.#socket = null
      const message = close.reason || `The socket closed (${close.code}).`
      this.dispatch({ type: 'socket-closed', error: new TidemarkError(kindOfCloseCode(close.code), message) })
    }
    // The close event that follows carries everything there is to report.
    socket.onerror = () => undefined
    this.#armRenewal(token)
  }

  #closeSocket(): void {
    const socket = this.#socket
    this.#socket = null
    this.#runner.disarm('renewal')
    if (socket === null) return
    socket.onopen = null
    socket.onmessage = null
    socket.onclose = null
    socket.close(1000)
  }

  #startHydration(): void {
    const controller = new AbortController()
    this.#hydration = controller
    this.#options.host.hydrate(controller.signal).then(
      (done) => this.#hydration === controller && this.dispatch({ type: 'hydrated', ...done }),
      (error: unknown) => {
        if (this.#hydration === controller) this.dispatch({ type: 'failed', error: loadFault(error) })
      },
    )
  }

  #readMessage(data: unknown): void {
    this.dispatch({ type: 'heard' })
    if (data === PONG_TEXT) return
    try {
      if (typeof data !== 'string') throw new TidemarkError('corrupt', 'The server sent a binary frame; reconnecting.')
      const frame = readFrame(data)
      this.#received += data.length
      const { received, receivedCharacters } = this.#frames
      this.#frames = { ...this.#frames, received: received + 1, receivedCharacters: receivedCharacters + data.length }
      this.#receiveFrame(frame)
    } catch (error) {
      this.dispatch({ type: 'failed', error: toTidemarkError(error) })
    }
  }

  #receiveFrame(frame: FrameDown): void {
    const { host } = this.#options
    if (frame.type === 'welcome') {
      this.#window = frame.windowBytes
      this.dispatch({ type: 'welcomed', resume: host.receiveWelcome(frame) })
    } else if (frame.type === 'rehydrate') {
      host.receiveRehydrate(frame.reason)
      this.dispatch({ type: 'rehydrate' })
    } else if (frame.type === 'fault') {
      this.dispatch({ type: 'failed', error: new TidemarkError(frame.kind, frame.message) })
    } else if (frame.type !== 'renewed') {
      host.receiveStreamFrame(frame, this.#received)
    }
  }

  #sendFrame(frame: FrameUp): void {
    this.#frames = { ...this.#frames, sent: this.#frames.sent + 1 }
    this.#sendText(JSON.stringify(frame))
  }

  #sendText(text: string): void {
    if (this.#socket?.readyState === SOCKET_OPEN) this.#socket.send(text)
  }
}
