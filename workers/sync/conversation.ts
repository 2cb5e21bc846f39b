import { type FrameUp, frameUpSchema, type Hello, LIMITS, TidemarkError } from '../../protocol/index.ts'
import { identify } from '../access/authenticate.ts'
import { log } from '../log.ts'
import { takeToken } from '../token-bucket.ts'
import { errorFrom } from '../typed-error.ts'
import { noteStatus } from './client-statuses.ts'
import type { Server } from './frame-server.ts'
import { greet } from './greet.ts'
import type { Rights } from './rights.ts'
import { positionAt } from './rules/position.ts'
import { refuseStream } from './rules/resume.ts'
import { admits } from './rules/session-state.ts'
import { mayServe } from './rules/window.ts'
import type { SyncSession } from './sessions.ts'
import type { Subscription } from './subscription.ts'
import { type SyncContext, whereIs } from './sync-context.ts'

/** Answers what clients say. Throws typed errors, each of which ends the session that caused it. */
export class Conversation {
  readonly #context: SyncContext
  readonly #subscription: Subscription
  readonly #server: Server
  readonly #rights: Rights

  constructor(context: SyncContext, subscription: Subscription, server: Server, rights: Rights) {
    this.#context = context
    this.#subscription = subscription
    this.#server = server
    this.#rights = rights
  }

  #read(session: SyncSession, message: string | ArrayBuffer): FrameUp {
    const { limits, nowMs } = this.#context
    const messages = takeToken(session.state.messages, limits.messages, nowMs())
    if (!messages) throw new TidemarkError('rate-limited', 'Too many messages; send fewer.')
    session.update({ messages })
    if (typeof message !== 'string') throw new TidemarkError('bad-input', 'Frames are text.')
    if (message.length > LIMITS.clientMessageBytes) {
      throw new TidemarkError('limit-exceeded', `A frame is at most ${LIMITS.clientMessageBytes} characters.`)
    }
    const frame = frameUpSchema.safeParse(parseJson(message))
    if (!frame.success) throw new TidemarkError('bad-input', 'A frame is not of the form the protocol has.')
    if (!admits(session.state.phase, frame.data.type)) {
      throw new TidemarkError('bad-input', `A frame of type ${frame.data.type} has no place here.`)
    }
    return frame.data
  }

  /** Answers one message; returns whether the session's deadlines may have come nearer. */
  async receive(session: SyncSession, message: string | ArrayBuffer): Promise<boolean> {
    const frame = this.#read(session, message)
    await this.#answer(session, frame)
    return frame.type !== 'ack'
  }

  async #answer(session: SyncSession, frame: FrameUp): Promise<void> {
    switch (frame.type) {
      case 'hello':
        this.#context.storage.putHello(session.state.id, JSON.stringify(frame))
        session.update({ phase: 'greeting' })
        return this.#greet(session, frame)
      case 'stream':
        return this.#beginStream(session, frame)
      case 'ack':
        return this.#acknowledge(session, frame)
      case 'token':
        return this.#renewToken(session, frame.token)
      case 'refused':
        return session.update({ refused: { count: frame.tables.length, first: frame.tables[0] ?? '' } })
      case 'unsent': {
        const sinceMs = frame.oldestMs === null ? null : this.#context.nowMs() - frame.oldestMs
        return session.update({ unsent: { sinceMs, failed: frame.failed } })
      }
      case 'schema':
        return noteStatus(this.#context, session, frame)
    }
  }

  async #greet(session: SyncSession, hello: Hello): Promise<void> {
    session.busy = true
    try {
      await greet(this.#context, this.#subscription, this.#rights, session, hello)
    } finally {
      session.busy = false
    }
    log(this.#context.env, 'session-opened', { ...whereIs(this.#context, session), from: hello.cursor })
    this.#server.serve(session, true)
  }

  #beginStream(session: SyncSession, frame: Extract<FrameUp, { type: 'stream' }>): void {
    const { epoch, floor } = this.#context.storage.state
    const reason = refuseStream(frame, { epoch: epoch ?? '', floor })
    if (reason) {
      this.#server.rehydrate(session, reason)
      return
    }
    // What a client streams after a load is what it holds by now.
    if (session.state.phase === 'hydrating' && session.state.client !== null)
      this.#context.storage.clients.hasLoaded(session.state.client)
    const nowMs = this.#context.nowMs()
    const rowsTo = frame.rowsTo ?? null
    const begun = { phase: 'streaming', position: positionAt(frame.from), rowsTo, streamSinceMs: nowMs } as const
    // Frames on their way belong to the stream before, so the client must know where the new one begins.
    if (session.state.phase === 'streaming') session.sendFrame({ type: 'restarted', from: frame.from }, nowMs, begun)
    else session.update(begun)
    this.#server.serve(session, true)
  }

  #acknowledge(session: SyncSession, { received, cursor }: Extract<FrameUp, { type: 'ack' }>): void {
    const { acked, fullSinceMs } = session.state
    if (!session.acknowledge(received))
      throw new TidemarkError('bad-input', 'An acknowledgement of more than was sent.')
    log(this.#context.env, 'frames-acknowledged', { ...whereIs(this.#context, session), to: cursor })
    const open = mayServe(session.state, this.#context.limits.windowChars)
    const isProgress = session.state.acked > acked
    // A client that acknowledges something, if too little, is slow and not dead.
    session.update({ fullSinceMs: open ? null : isProgress ? this.#context.nowMs() : fullSinceMs })
    if (open) this.#server.serve(session)
  }

  async #renewToken(session: SyncSession, token: string): Promise<void> {
    const { access, env, nowMs } = this.#context
    const identity = await identify(access, token, env, nowMs())
    if (identity.userId !== session.state.userId)
      throw new TidemarkError('forbidden', 'The fresh token is of another user.')
    const { expiresAtMs } = identity
    session.sendFrame(
      { type: 'renewed', expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString() },
      nowMs(),
      { expiresAtMs },
    )
    this.#rights.renew(session, identity.claims)
  }

  /** Takes up greetings that an eviction interrupted. */
  async greetInterrupted(): Promise<void> {
    const { sessions, storage, nowMs } = this.#context
    for (const session of sessions) {
      if (session.state.phase !== 'greeting' || session.busy) continue
      const hello = storage.session(session.state.id)?.hello
      try {
        if (hello) await this.#greet(session, JSON.parse(hello) as Hello)
      } catch (error) {
        session.fault(errorFrom(error), nowMs())
      }
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
