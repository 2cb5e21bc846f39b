import type { FrameDown, FrameUp } from '../../protocol/index.ts'
import { PING_TEXT, PONG_TEXT } from '../../protocol/index.ts'
import { SOCKET_OPEN, type Socket } from '../connection/link.ts'

const CLOSED = 3

/** A socket without a network: what is sent arrives in a later task, in order. */
export class LocalSocket implements Socket {
  readyState: Socket['readyState'] = 0
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  onerror: Socket['onerror'] = null
  readonly #receive: (frame: FrameUp, socket: LocalSocket) => void

  constructor(receive: (frame: FrameUp, socket: LocalSocket) => void) {
    this.#receive = receive
    this.#later(() => {
      this.readyState = SOCKET_OPEN
      this.onopen?.call(this as unknown as WebSocket, new Event('open'))
    })
  }

  get isOpen(): boolean {
    return this.readyState === SOCKET_OPEN
  }

  /** Takes a frame of the replica's. */
  send(text: Parameters<Socket['send']>[0]): void {
    if (text === PING_TEXT) {
      this.#deliver(PONG_TEXT)
      return
    }
    const frame = JSON.parse(String(text)) as FrameUp
    this.#later(() => this.#receive(frame, this))
  }

  /** Sends a frame to the replica. */
  push(frame: FrameDown): void {
    this.#deliver(JSON.stringify(frame))
  }

  close(): void {
    this.readyState = CLOSED
  }

  #deliver(text: string): void {
    this.#later(() => {
      if (this.isOpen) this.onmessage?.call(this as unknown as WebSocket, new MessageEvent('message', { data: text }))
    })
  }

  #later(work: () => void): void {
    setTimeout(() => {
      if (this.readyState !== CLOSED) work()
    })
  }
}
