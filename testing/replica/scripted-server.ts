/*
 * The other side of a replica, as tests script it: what it says, its sessions and the server itself. They are one file,
 * because each is written in the terms of the others, and tests take all three from one place.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type WebSocket, WebSocketServer } from 'ws'
import { encodeCopyLine } from '../../protocol/copy-text.ts'
import {
  type Definition,
  type DefinitionAnswer,
  type DefinitionVersion,
  type FrameDown,
  type FrameUp,
  type Hello,
  type Lsn,
  type Manifest,
  type MarkedChange,
  type MigrationsAnswer,
  type OutcomesAnswer,
  type OutcomesRequest,
  type PushAnswer,
  type PushedMutation,
  type PushRequest,
  type Row,
  type TableDefinition,
  type TableStep,
  travellingColumns,
  type Welcome,
} from '../../protocol/index.ts'

/** The content of one audience's snapshot. */
export interface SnapshotScript {
  readonly start: Lsn
  readonly fence: Lsn
  readonly snapshot: string
  readonly rows: Readonly<Record<string, readonly Row[]>>
}

/** Makes an LSN for tests from a small number. */
export const at = (position: number): Lsn => position.toString(16).padStart(16, '0') as Lsn

export interface TransactionScript {
  readonly lsn: Lsn
  readonly xid: string
  readonly changes: readonly MarkedChange[]
}

export const batch = (
  from: Lsn,
  to: Lsn,
  transactions: readonly TransactionScript[] = [],
  head: Lsn = to,
): FrameDown => ({
  type: 'batch',
  from,
  to,
  head,
  transactions: transactions.map(({ lsn, xid, changes }) => ({
    lsn,
    xid,
    at: '2026-11-20T00:00:00Z',
    changes: [...changes],
  })),
})

/** One socket as the server sees it. */
export class ScriptedSession {
  readonly hello: Hello
  readonly received: FrameUp[] = []
  sentCharacters = 0
  #socket: WebSocket
  #listeners = new Set<() => void>()
  isClosed = false

  constructor(socket: WebSocket, hello: Hello) {
    this.#socket = socket
    this.hello = hello
    socket.on('message', (data) => {
      const text = data.toString()
      if (text === 'ping') socket.send('pong')
      else this.received.push(JSON.parse(text))
      this.#tell()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.#tell()
    })
  }

  send(...frames: FrameDown[]): void {
    for (const frame of frames) this.sendText(JSON.stringify(frame))
  }

  sendText(text: string): void {
    this.sentCharacters += text.length
    this.#socket.send(text)
  }

  close(code: number, reason = ''): void {
    this.#socket.close(code, reason)
  }

  /** Cuts the link without a word. */
  cut(): void {
    this.#socket.terminate()
  }

  /** Resolves with the first frame of a type that satisfies `test`, past or to come. */
  async frame<Type extends FrameUp['type']>(
    type: Type,
    test: (frame: Extract<FrameUp, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<FrameUp, { type: Type }>> {
    for (;;) {
      for (const frame of this.received) {
        if (frame.type === type && test(frame as Extract<FrameUp, { type: Type }>))
          return frame as Extract<FrameUp, { type: Type }>
      }
      await this.#next()
    }
  }

  /** Resolves once everything sent so far is acknowledged. */
  async acknowledged(): Promise<void> {
    const wanted = this.sentCharacters
    await this.frame('ack', ({ received }) => received >= wanted)
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await this.#next()
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      const listener = () => {
        this.#listeners.delete(listener)
        resolve()
      }
      this.#listeners.add(listener)
    })
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

export interface ReceivedPush extends Omit<PushRequest, 'mutations'> {
  readonly mutations: readonly PushedMutation[]
}

export const commitAll = ({ mutations }: ReceivedPush): PushAnswer => ({
  outcomes: mutations.map((mutation: PushedMutation) => ({ counter: mutation.counter, status: 'committed' })),
  retry: null,
})

/** Makes the commit of a mutation as its author receives it, where all came as predicted. */
export function committedAs(lsn: Lsn, mutation: PushedMutation): TransactionScript {
  const predicted = mutation.kind === 'patch' ? mutation.rows : (mutation.predicted ?? [])
  const notes = predicted.map((_, index): MarkedChange => ({ o: 'p', p: index }))
  return { lsn, xid: String(Number.parseInt(lsn, 16)), changes: [{ o: 'm', c: mutation.counter }, ...notes] }
}

/** An answer, a bare status, or null for none at all. */
type PushReply = PushAnswer | number | null

type Interceptor = (path: string, response: ServerResponse) => boolean

/** A server over real HTTP and a real socket, whose every answer the test decides. */
export class ScriptedServer {
  epoch = 'epoch-one'
  head: Lsn = at(0x100)
  definition: Definition
  definitionHash = 'hash-one'
  definitionVersion = 1
  /** Versions that came in force at known places; another one is told to have come at the head, without steps. */
  readonly versions: DefinitionVersion[] = []
  audiences: string[]
  chunkRows = 2
  snapshots = new Map<string, SnapshotScript>()
  /** Decides on the answer to a hello. Default: stream where epoch and definition fit, else hydrate. */
  welcome: (hello: Hello) => Partial<Welcome> = () => ({})
  /** Decides on the answer to a push; null gives none and cuts the connection. Default: all are committed. */
  answerPush: (push: ReceivedPush) => PushReply | Promise<PushReply> = commitAll
  answerOutcomes: (request: OutcomesRequest) => OutcomesAnswer = () => ({ epoch: this.epoch, outcomes: [] })
  /** The JSON text of each push, as it came. */
  readonly pushes: string[] = []
  /** Sees each request first; true when it has answered. */
  intercept: Interceptor = () => false
  /** Refuses the upgrade when it answers a status. */
  refuseUpgrade: (request: IncomingMessage) => number | null = () => null
  readonly requests: string[] = []
  readonly tokens: string[] = []
  readonly sessions: ScriptedSession[] = []
  #chunks = new Map<string, Buffer>()
  #http = createServer((request, response) => this.#answer(request, response))
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'tidemark.v1' })
  #waiting: (() => void)[] = []

  constructor(definition: Definition, audiences: string[]) {
    this.definition = definition
    this.audiences = audiences
    this.#http.on('upgrade', (request, socket, head) => {
      const status = this.refuseUpgrade(request)
      if (status !== null) {
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
        return
      }
      const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/)
      const token = offered.find((entry) => entry.startsWith('tidemark.token.'))?.slice('tidemark.token.'.length) ?? ''
      this.tokens.push(Buffer.from(token, 'base64url').toString())
      this.#sockets.handleUpgrade(request, socket, head, (upgraded) => this.#greet(upgraded))
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate()
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }

  /** Waits for the n-th session (from 0) and answers it. */
  async session(index: number): Promise<ScriptedSession> {
    for (;;) {
      const session = this.sessions[index]
      if (session) return session
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Waits for the n-th push (from 0) and answers it. */
  async push(index: number): Promise<ReceivedPush> {
    for (;;) {
      const push = this.pushes[index]
      if (push !== undefined) return JSON.parse(push)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  manifest(audience: string): Manifest | null {
    const script = this.snapshots.get(audience)
    if (!script) return null
    return {
      epoch: this.epoch,
      audience,
      definitionVersion: this.definitionVersion,
      definitionHash: this.definitionHash,
      definition: this.definition,
      start: script.start,
      fence: script.fence,
      snapshot: script.snapshot,
      builtAt: '2026-11-20T00:00:00Z',
      tables: this.definition.tables.map((table) => this.#manifestTable(table, script.rows[table.id] ?? [])),
    }
  }

  /** Puts the next version in force at a place; `steps` says how replicas make it from the one before. */
  putInForce(definition: Definition, lsn: Lsn, steps: TableStep[] = [], names: TableStep[] = []): void {
    this.definition = definition
    this.definitionVersion += 1
    this.definitionHash = `hash of ${this.definitionVersion}`
    this.versions.push({ version: this.definitionVersion, hash: this.definitionHash, lsn, definition, steps, names })
  }

  #migrationsAnswer(from: number): MigrationsAnswer {
    const { definitionVersion: version, definitionHash: hash, head: lsn, definition, epoch } = this
    const latest = this.versions.some((one) => one.version === version)
      ? []
      : [{ version, hash, lsn, definition, steps: [], names: [] }]
    return { epoch, versions: [...this.versions, ...latest].filter((one) => one.version > from) }
  }

  #definitionAnswer(): DefinitionAnswer {
    const { epoch, head, definitionVersion, definitionHash, definition } = this
    return { epoch, head, definitionVersion, definitionHash, definition }
  }

  #manifestTable(table: TableDefinition, rows: readonly Row[]): Manifest['tables'][number] {
    const columns = travellingColumns(table).map(({ name }) => name)
    const chunks: Manifest['tables'][number]['chunks'] = []
    for (let first = 0; first < rows.length; first += this.chunkRows) {
      const part = rows.slice(first, first + this.chunkRows)
      const text = Buffer.from(part.map((row) => encodeCopyLine(columns, row)).join(''))
      const bytes = gzipSync(text)
      const id = createHash('sha256').update(bytes).digest('hex')
      this.#chunks.set(id, bytes)
      chunks.push({ id, rows: part.length, bytes: bytes.length, rawBytes: text.length })
    }
    return {
      table: table.id,
      columns,
      rows: rows.length,
      bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0),
      chunks,
    }
  }

  chunk(id: string): Buffer | undefined {
    return this.#chunks.get(id)
  }

  forgetChunks(): void {
    this.#chunks.clear()
  }

  #greet(socket: WebSocket): void {
    socket.once('message', (data) => {
      const hello = JSON.parse(data.toString()) as Hello
      const session = new ScriptedSession(socket, hello)
      const sameDefinition =
        hello.definitionHash === this.definitionHash && hello.definitionVersion === this.definitionVersion
      const holds = hello.epoch === this.epoch && sameDefinition
      const welcome: Welcome = {
        type: 'welcome',
        epoch: this.epoch,
        head: this.head,
        definitionVersion: this.definitionVersion,
        definitionHash: this.definitionHash,
        audiences: this.audiences,
        resume: holds ? 'stream' : 'hydrate',
        reason: holds ? null : hello.epoch === null ? 'new' : hello.epoch === this.epoch ? 'definition' : 'epoch',
        // Each apply is acknowledged, so that tests can wait for it.
        windowBytes: 1,
        ...this.welcome(hello),
      }
      session.send(welcome)
      this.sessions.push(session)
      for (const wake of this.#waiting.splice(0)) wake()
    })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? '').replace(/\?.*$/, ''))
    // A page of another origin may ask too.
    response.setHeader('access-control-allow-origin', '*')
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-headers', 'authorization, content-type')
      return void response.end()
    }
    this.requests.push(path)
    if (this.intercept(path, response)) return
    if (request.method === 'POST') return void this.#answerPost(path, request, response)
    if (path === '/sync/head') return void response.end(JSON.stringify({ epoch: this.epoch, lsn: this.head }))
    if (path === '/sync/definition') return void response.end(JSON.stringify(this.#definitionAnswer()))
    if (path === '/sync/migrations') {
      const from = Number(new URL(request.url ?? '', 'http://server').searchParams.get('from'))
      return void response.end(JSON.stringify(this.#migrationsAnswer(from)))
    }
    const [, , , audience = '', id] = path.split('/')
    const body = id === undefined ? JSON.stringify(this.manifest(audience)) : this.#chunks.get(id)
    if (body === undefined || body === 'null') response.statusCode = 404
    response.end(body === 'null' ? undefined : body)
  }

  async #answerPost(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const text = Buffer.concat(pieces).toString()
    if (path === '/sync/outcomes') return void response.end(JSON.stringify(this.answerOutcomes(JSON.parse(text))))
    this.pushes.push(text)
    for (const wake of this.#waiting.splice(0)) wake()
    const reply = await this.answerPush(JSON.parse(text))
    if (reply === null) return void response.destroy()
    if (typeof reply === 'number') response.statusCode = reply
    response.end(typeof reply === 'number' ? '' : JSON.stringify(reply))
  }
}
