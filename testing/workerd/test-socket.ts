import {
  type FrameDown,
  type FrameUp,
  frameDownSchema,
  type Lsn,
  type MarkedChange,
  PONG_TEXT,
  type WireTransaction,
} from '../../protocol/index.ts'

/** The client's end of a socket, which keeps every frame and puts the stream together as a replica would. */
export class TestSocket {
  readonly frames: FrameDown[] = []
  readonly transactions: WireTransaction[] = []
  cursor: Lsn | null = null
  received = 0
  pongs = 0
  closed: { code: number; reason: string } | null = null
  autoAck = true
  readonly #socket: WebSocket
  #partial: {
    lsn: Lsn
    next: number
    changes: MarkedChange[]
    fragment: { index: number; text: string } | null
  } | null = null
  #waiting: (() => void)[] = []

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.accept()
    socket.addEventListener('message', ({ data }) => {
      if (this.closed !== null) return
      if (data === PONG_TEXT) {
        this.pongs += 1
        this.#wake()
        return
      }
      this.received += String(data).length
      this.#take(frameDownSchema.parse(JSON.parse(String(data))))
      if (this.autoAck) this.ack()
      this.#wake()
    })
    socket.addEventListener('close', ({ code, reason }) => {
      this.closed ??= { code, reason }
      this.#wake()
    })
  }

  send(frame: FrameUp): void {
    this.#socket.send(JSON.stringify(frame))
  }

  sendRaw(data: string | ArrayBuffer): void {
    this.#socket.send(data)
  }

  ack(): void {
    // Once the socket is closed, nobody would hear an ack.
    if (this.closed !== null || this.#socket.readyState !== WebSocket.READY_STATE_OPEN) return
    this.send({ type: 'ack', received: this.received, cursor: this.cursor })
  }

  /** Closes the socket; from here on, the client takes nothing in. */
  close(): void {
    this.closed ??= { code: 1000, reason: 'done' }
    this.#socket.close(1000, 'done')
  }

  /** Resolves once the condition holds; the test's own time limit bounds it. */
  async until(condition: (socket: TestSocket) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Waits for the first frame of a type, past or to come, and answers it. */
  async frame<Type extends FrameDown['type']>(type: Type): Promise<Extract<FrameDown, { type: Type }>> {
    const find = () => this.frames.find((frame): frame is Extract<FrameDown, { type: Type }> => frame.type === type)
    await this.until(() => find() !== undefined)
    const found = find()
    if (!found) throw new Error('unreachable')
    return found
  }

  async reaches(cursor: Lsn): Promise<void> {
    await this.until(() => (this.cursor ?? '') >= cursor || this.closed !== null)
    if ((this.cursor ?? '') < cursor) throw new Error(`closed: ${JSON.stringify(this.closed)}`)
  }

  /** The ids of inserted rows in order, with the operation of every other change. */
  get ids(): (string | null | undefined)[] {
    return this.transactions.flatMap(({ changes }) =>
      changes.map((change) => (change.o === 'i' ? change.d.id : change.o)),
    )
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #take(frame: FrameDown): void {
    this.frames.push(frame)
    if (frame.type === 'batch') {
      if (frame.from !== this.cursor) throw new Error(`A batch from ${frame.from} at cursor ${this.cursor}.`)
      if (frame.to < frame.from || frame.head < frame.to) throw new Error('A batch that goes back.')
      this.#partial = null
      this.transactions.push(...frame.transactions)
      this.cursor = frame.to
    }
    if (frame.type === 'audiences') this.#partial = null
    if (frame.type === 'restarted') this.cursor = frame.from
    if (frame.type === 'part' || frame.type === 'fragment') this.#takePiece(frame)
    if (frame.type === 'rehydrate') this.cursor = null
  }

  #takePiece(frame: Extract<FrameDown, { type: 'part' | 'fragment' }>): void {
    if (frame.from !== this.cursor) throw new Error(`A part from ${frame.from} at cursor ${this.cursor}.`)
    this.#partial ??= { lsn: frame.lsn, next: 0, changes: [], fragment: null }
    const partial = this.#partial
    if (frame.lsn !== partial.lsn) throw new Error('A part of another transaction.')
    if (partial.fragment && (frame.type === 'part' || frame.index !== partial.fragment.index)) {
      partial.changes.push(JSON.parse(partial.fragment.text))
      partial.fragment = null
    }
    if (frame.type === 'fragment') {
      partial.fragment ??= { index: frame.index, text: '' }
      partial.fragment.text += frame.text
      partial.next = frame.index + 1
      return
    }
    if (frame.index !== partial.next) throw new Error(`Part ${frame.index} where ${partial.next} was due.`)
    partial.next += 1
    partial.changes.push(...frame.changes)
    if (!frame.last) return
    this.transactions.push({ lsn: frame.lsn, xid: frame.xid, at: frame.at, changes: partial.changes })
    this.cursor = frame.lsn
    this.#partial = null
  }
}
