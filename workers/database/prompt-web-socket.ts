type SocketClass = new (url: string) => WebSocket
type Sent = Parameters<WebSocket['send']>[0]

let made: SocketClass | null = null

/**
 * A WebSocket that sends what was written in one turn as one message when the turn ends; the driver's own way to join
 * messages holds each for a timer, a millisecond of every round trip.
 *
 * Made on first use: Node 20 has no WebSocket until the command line gives it one.
 */
export function promptWebSocket(): SocketClass {
  made ??= class extends WebSocket {
    #waiting: Uint8Array<ArrayBuffer>[] = []

    override send(data: Sent): void {
      // The driver sends bytes only.
      if (!(data instanceof Uint8Array)) throw new TypeError('Only bytes are sent to a database.')
      if (this.#waiting.push(data as Uint8Array<ArrayBuffer>) === 1) queueMicrotask(() => this.#flush())
    }

    override close(code?: number, reason?: string): void {
      this.#flush()
      super.close(code, reason)
    }

    #flush(): void {
      const [first, ...rest] = this.#waiting
      this.#waiting = []
      if (first === undefined || this.readyState !== WebSocket.OPEN) return
      super.send(rest.length === 0 ? first : joined([first, ...rest]))
    }
  }
  return made
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let position = 0
  for (const part of parts) {
    whole.set(part, position)
    position += part.length
  }
  return whole
}
