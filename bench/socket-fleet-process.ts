import { nanoid } from 'nanoid'
import { WebSocket } from 'ws'
import { frameDownSchema, LIMITS, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../protocol/index.ts'
import { clockMs } from './socket-fleet.ts'

export type FleetCommand =
  | {
      readonly command: 'open'
      readonly url: string
      readonly audience: string
      readonly tokens: readonly string[]
    }
  | { readonly command: 'await'; readonly mark: string }
  | { readonly command: 'received' }
  | { readonly command: 'reconnect' }

export interface FleetAnswer {
  readonly call: number
  readonly times: readonly number[]
}

/** Marks stand in the titles of changed rows. */
const MARK = /mark-[0-9a-z-]+-end/g
/** The number of connections that are opened at once at the start; a reconnect opens all at once. */
const OPENING = 20

interface Position {
  readonly epoch: string
  readonly definitionVersion: number
  readonly definitionHash: string
  cursor: string
}

/** Times by mark, one for each client. */
const arrivals = new Map<string, number[]>()
let waiters: (() => void)[] = []

class SocketClient {
  readonly #url: string
  readonly #token: string
  readonly #audience: string
  readonly #client = nanoid()
  #position: Position | null = null
  #socket: WebSocket | null = null
  #received = 0
  #acknowledged = 0

  constructor(url: string, audience: string, token: string) {
    this.#url = url
    this.#audience = audience
    this.#token = token
  }

  /** Resolves when the stream has begun. */
  connect(): Promise<void> {
    const token = `${TOKEN_SUBPROTOCOL_PREFIX}${Buffer.from(this.#token).toString('base64url')}`
    const socket = new WebSocket(`${this.#url.replace(/^http/, 'ws')}/sync/socket`, [SUBPROTOCOL, token])
    this.#socket = socket
    this.#received = 0
    this.#acknowledged = 0
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('close', (code, reason) => reject(new Error(`A socket closed: ${code} ${reason}`)))
      socket.once('open', () => {
        this.#send({
          type: 'hello',
          protocol: LIMITS.protocolVersion,
          client: this.#client,
          epoch: this.#position?.epoch ?? null,
          cursor: this.#position?.cursor ?? null,
          definitionVersion: this.#position?.definitionVersion ?? null,
          definitionHash: this.#position?.definitionHash ?? null,
          audiences: this.#position ? [this.#audience] : [],
          unsettled: false,
        })
      })
      socket.on('message', (data) => {
        const atMs = clockMs()
        const text = String(data)
        this.#received += text.length
        this.#take(text, atMs, resolve)
      })
    })
  }

  /** The characters of frames on the present socket, before any compression. */
  get received(): number {
    return this.#received
  }

  drop(): void {
    this.#socket?.removeAllListeners('close')
    this.#socket?.terminate()
  }

  #send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame))
  }

  /** Takes in a frame, but does not parse batches, because that would measure this process. */
  #take(text: string, atMs: number, streaming: () => void): void {
    if (!text.startsWith('{"type":"batch"')) {
      const frame = frameDownSchema.parse(JSON.parse(text))
      if (frame.type === 'fault') throw new Error(`${frame.kind}: ${frame.message}`)
      if (frame.type !== 'welcome') return
      if (frame.resume === 'hydrate') {
        if (this.#position) throw new Error(`A reconnect was told to hydrate: ${frame.reason}`)
        this.#position = {
          epoch: frame.epoch,
          definitionVersion: frame.definitionVersion,
          definitionHash: frame.definitionHash,
          cursor: frame.head,
        }
        this.#send({ type: 'stream', epoch: frame.epoch, from: frame.head })
      }
      streaming()
      return
    }
    const to = /^.{0,80}?"to":"([0-9a-f]{16})"/.exec(text)?.[1]
    if (this.#position && to) this.#position.cursor = to
    // As a replica does: a quarter of the window at once.
    if (this.#received - this.#acknowledged >= LIMITS.windowBytes / 4) {
      this.#acknowledged = this.#received
      this.#send({ type: 'ack', received: this.#received, cursor: to ?? null })
    }
    for (const [mark] of text.matchAll(MARK)) {
      const times = arrivals.get(mark) ?? []
      times.push(atMs)
      arrivals.set(mark, times)
    }
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }
}

let clients: SocketClient[] = []

async function openAll({ url, audience, tokens }: Extract<FleetCommand, { command: 'open' }>): Promise<void> {
  clients = tokens.map((token) => new SocketClient(url, audience, token))
  const waiting = [...clients]
  const openNext = async () => {
    for (let client = waiting.shift(); client; client = waiting.shift()) await client.connect()
  }
  await Promise.all(Array.from({ length: OPENING }, openNext))
}

async function awaitMark(mark: string): Promise<readonly number[]> {
  for (;;) {
    const times = arrivals.get(mark) ?? []
    if (times.length >= clients.length) return times
    await new Promise<void>((resolve) => waiters.push(resolve))
  }
}

async function obey(command: FleetCommand): Promise<readonly number[]> {
  if (command.command === 'await') return await awaitMark(command.mark)
  if (command.command === 'received') return [clients.reduce((sum, { received }) => sum + received, 0)]
  if (command.command === 'open') await openAll(command)
  else {
    for (const client of clients) client.drop()
    await Promise.all(clients.map((client) => client.connect()))
  }
  return []
}

process.on('message', (message: FleetCommand & { readonly call: number }) => {
  obey(message).then(
    (times) => process.send?.({ call: message.call, times } satisfies FleetAnswer),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
