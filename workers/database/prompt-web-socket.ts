import type { WebSocketConstructor } from '@neondatabase/serverless'

const OPEN = 1

const made = new WeakMap<WebSocketConstructor, WebSocketConstructor>()

/**
 * Makes a WebSocket class that sends all that was written in one turn as one message when the turn ends. The driver's
 * own way of joining messages holds each for a timer, which adds a millisecond to every round trip.
 */
export function promptWebSocket(base: WebSocketConstructor): WebSocketConstructor {
  const known = made.get(base)
  if (known) return known
  const prompt = class extends base {
    #waiting: Uint8Array[] = []

    /** The driver sends bytes only. */
    override send(data: Uint8Array): void {
      if (this.#waiting.push(data) === 1) queueMicrotask(() => this.#flush())
    }

    override close(code?: number, reason?: string): void {
      this.#flush()
      super.close(code, reason)
    }

    #flush(): void {
      const [first, ...rest] = this.#waiting
      this.#waiting = []
      if (first === undefined || this.readyState !== OPEN) return
      super.send(rest.length === 0 ? first : joined([first, ...rest]))
    }
  }
  made.set(base, prompt)
  return prompt
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let position = 0
  for (const part of parts) {
    whole.set(part, position)
    position += part.length
  }
  return whole
}
