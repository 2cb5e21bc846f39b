import type { Transaction } from '@electric-sql/pglite'
import { nanoid } from 'nanoid'
import { TidemarkError } from '../../protocol/index.ts'
import type { LiveConnection } from '../live/live-messages.ts'
import type { LocalCore } from '../local-core.ts'
import type { Envelope } from '../replica/load-envelope.ts'
import type { ReplicaStatus } from '../replica/status.ts'
import type { AskableTab } from './leader-token.ts'
import type { Leases } from './leases.ts'
import { decodeError, type ErrorData, encodeError } from './rules/error-data.ts'
import { type Asked, type ServedCalls, serveCalls } from './serve-calls.ts'
import { encodeStatus } from './status-data.ts'
import {
  type ConnectionWish,
  type Greeting,
  type LiveCall,
  type TabMethod,
  type ToLeader,
  type ToTab,
  tabChannel,
  tabLock,
} from './tab-messages.ts'

interface SessionOptions {
  readonly leader: string
  readonly core: LocalCore
  readonly leases: Leases
  /** The calls in hand, by their names. */
  readonly inHand: Map<string, Promise<unknown>>
  readonly greeting: Greeting
  /** The tabs that are served, and the part that this one has. */
  readonly tabs: () => ReplicaStatus['tabs']
  /** What was asked of the connection last. */
  readonly wish: () => ConnectionWish | null
  /** Called when the tab has asked for something else. */
  readonly onWished: (isOffline: boolean, envelope: Partial<Envelope> | null) => void
  /** Called when the tab has signed out, and was answered. */
  readonly onSignedOut: () => void
  /** Called when the tab is gone. */
  readonly onEnded: () => void
}

type Said = ToTab extends infer One ? (One extends ToTab ? Omit<One, 'leader'> : never) : never

/** One tab, as the leader serves it. */
export class TabSession implements AskableTab {
  readonly tab: string
  isVisible: boolean
  readonly #options: SessionOptions
  readonly #session = nanoid()
  readonly #channel: BroadcastChannel
  readonly #calls: ServedCalls
  readonly #live: LiveConnection
  readonly #asked = new Map<string, { resolve: (token: string) => void; reject: (error: unknown) => void }>()
  /** What passes the notifications of a channel on to the tab. */
  readonly #passes = new Map<string, (payload: string) => void>()
  readonly #ending = new AbortController()
  readonly #stopWatching: () => void
  #toldFailures: unknown = null
  #historyVersion = 0

  constructor(options: SessionOptions) {
    this.#options = options
    const { core, leases, greeting } = options
    this.tab = greeting.tab
    this.isVisible = greeting.isVisible
    this.#channel = new BroadcastChannel(tabChannel(this.tab))
    this.#channel.onmessage = ({ data }: MessageEvent<ToLeader>) => this.#receive(data)
    this.#calls = serveCalls(core, leases, {
      listen: (channel, tx) => this.#listen(channel, tx),
      unlisten: (channel) => this.#unlisten(channel),
      onWished: options.onWished,
      onSignedOut: () => setTimeout(options.onSignedOut),
    })
    this.#live = core.liveEngine.connect((message) => this.#reply({ type: 'live', message }))
    // What is missing of its history is no reason not to serve it.
    core.writing.openTab(this.tab, greeting.history).catch(() => undefined)
    const stopStatus = core.subscribe(() => this.tellStatus())
    const stopLooks = core.writing.onLooked(() => this.#tellHistory())
    this.#stopWatching = () => {
      stopStatus()
      stopLooks()
    }
    void this.#watchEnd()
  }

  welcome(bundle: Extract<ToTab, { type: 'welcome' }>['bundle']): void {
    const { failures } = this.#options.core
    this.#toldFailures = failures
    this.say({
      type: 'welcome',
      session: this.#session,
      bundle,
      status: this.#status(),
      failures,
      wish: this.#options.wish(),
    })
  }

  say(message: Said): void {
    // What is answered late, when the tab is gone, is for nobody.
    if (!this.#ending.signal.aborted) this.#channel.postMessage({ ...message, leader: this.#options.leader })
  }

  askToken(): Promise<string> {
    if (this.#ending.signal.aborted) return Promise.reject(goneFault())
    return new Promise((resolve, reject) => {
      const ask = nanoid()
      this.#asked.set(ask, { resolve, reject })
      this.say({ type: 'ask-token', ask })
    })
  }

  end(): void {
    if (this.#ending.signal.aborted) return
    this.#ending.abort()
    this.#stopWatching()
    const { core, leases, onEnded } = this.#options
    leases.endTab(this.tab)
    this.#live.closeClient()
    core.writing.history.closeTab(this.tab)
    for (const channel of [...this.#passes.keys()]) void this.#unlisten(channel).catch(() => undefined)
    for (const { reject } of this.#asked.values()) reject(goneFault())
    this.#channel.close()
    onEnded()
  }

  /** The tab's own lock is free once the tab is gone, however it went. */
  async #watchEnd(): Promise<void> {
    try {
      await navigator.locks.request(tabLock(this.tab), { signal: this.#ending.signal }, () => this.end())
    } catch {
      // Asked for no longer.
    }
  }

  #receive(message: ToLeader): void {
    if (message.leader !== this.#options.leader) return
    switch (message.type) {
      case 'call':
        void this.#serve(message)
        break
      case 'token':
        this.#receiveToken(message)
        break
      case 'ping':
        this.isVisible = message.isVisible
        this.say({ type: 'pong' })
        break
      case 'live':
        this.#serveLive(message.call)
        break
      case 'goodbye':
        this.end()
        break
    }
  }

  async #serve(call: Extract<ToLeader, { type: 'call' }>): Promise<void> {
    const { inHand } = this.#options
    const name = call.by.call
    try {
      const work = inHand.get(name) ?? this.#run(call)
      inHand.set(name, work)
      const answer = await work
      // A tab that knows of an undo has its history after it, which the next leader asks it for.
      this.#tellHistory()
      this.#reply({ type: 'answer', call: name, answer })
    } catch (error) {
      this.#reply({ type: 'error', call: name, error: encodeError(error) })
    } finally {
      inHand.delete(name)
    }
  }

  async #run({ by, method, args, isAgain }: Extract<ToLeader, { type: 'call' }>): Promise<unknown> {
    if (!Object.hasOwn(this.#calls, method)) throw unknownCall(method)
    const serve = this.#calls[method] as (asked: Asked, ...args: readonly unknown[]) => Promise<unknown>
    return serve({ by, isAgain }, ...args)
  }

  #reply(message: Said): void {
    if (!this.#ending.signal.aborted) this.say(message)
  }

  #serveLive(call: LiveCall): void {
    if (call.do === 'open') this.#live.open(call.query, call.text, call.held ?? undefined)
    else if (call.do === 'refresh') this.#live.refresh(call.query, call.refresh)
    else if (call.do === 'acknowledge') this.#live.acknowledge(call.query)
    else this.#live.close(call.query)
  }

  #receiveToken({ ask, token, error }: { ask: string; token: string | null; error: ErrorData | null }): void {
    const asked = this.#asked.get(ask)
    this.#asked.delete(ask)
    if (token !== null) asked?.resolve(token)
    else asked?.reject(error ? decodeError(error) : new TidemarkError('unauthenticated', 'The tab gave no token.'))
  }

  #status() {
    const { core } = this.#options
    const { canUndo, canRedo } = core.writing.history.stateOf(this.tab)
    return { ...encodeStatus(core.status), canUndo, canRedo, tabs: this.#options.tabs() }
  }

  /** Tells the tab how things are now. */
  tellStatus(): void {
    const { failures } = this.#options.core
    const isNew = failures !== this.#toldFailures
    this.#toldFailures = failures
    const wish = this.#options.wish()
    this.#reply({ type: 'status', status: this.#status(), failures: isNew ? failures : null, wish })
  }

  /** Lets the tab keep its history, which a new leader asks it for. */
  #tellHistory(): void {
    const { history } = this.#options.core.writing
    const { version } = history.stateOf(this.tab)
    if (version === this.#historyVersion) return
    this.#historyVersion = version
    this.#reply({ type: 'history', history: history.savedOf(this.tab) })
    this.tellStatus()
  }

  async #listen(channel: string, tx: Transaction | undefined): Promise<void> {
    const pass = this.#passes.get(channel) ?? ((payload) => this.#reply({ type: 'notification', channel, payload }))
    this.#passes.set(channel, pass)
    // Listening twice is listening once; and one that was rolled back with its transaction is made good by the next.
    await this.#options.core.db.listen(channel, pass, tx)
  }

  async #unlisten(channel: string): Promise<void> {
    const pass = this.#passes.get(channel)
    this.#passes.delete(channel)
    if (pass) await this.#options.core.db.unlisten(channel, pass)
  }
}

const unknownCall = (method: TabMethod) =>
  new TidemarkError('upgrade-required', `The tab that works for all does not know ${method}: reload all tabs.`)

const goneFault = () => new TidemarkError('unavailable', 'The tab is gone.')
