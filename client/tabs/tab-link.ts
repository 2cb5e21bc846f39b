import { nanoid } from 'nanoid'
import { TidemarkError } from '../../protocol/index.ts'
import { closedFault } from '../replica/engine-faults.ts'
import { type Bundle, TABS_PROTOCOL } from './rules/compare-bundles.ts'
import { decodeError } from './rules/error-data.ts'
import { Silence } from './rules/silence.ts'
import {
  type Announcement,
  announcementChannel,
  type Greeting,
  type TabCalls,
  type TabMethod,
  type ToLeader,
  type ToTab,
  tabChannel,
} from './tab-messages.ts'

/** A tab without a leader asks for one this often. */
const HELLO_MS = 500
/** A linked tab asks this often whether its leader lives. */
const PING_MS = 1_000
/** A leader that is silent for so long counts as away: the status says `switching`, and calls wait. */
const SILENT_MS = 5_000
/** Calls wait for a leader at most this long. */
const WAIT_MS = 30_000

interface Waiting {
  readonly method: TabMethod
  readonly args: readonly unknown[]
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
  /** The session in which it was asked last; null while it was not. */
  asked: string | null
  /** True for a wait that may last: for the server, or for the network. */
  readonly isPatient: boolean
}

export interface LinkHost {
  readonly bundle: Bundle
  readonly greet: () => Omit<Greeting, 'tab' | 'bundle'>
  readonly onMessage: (message: ToTab) => void
  /** Called when a session begins, which knows nothing of the one before. */
  readonly onSession: () => void
  readonly onAnnounced: (announcement: Announcement) => void
  /** Called when there is no leader to ask, and again when there is. */
  readonly onSwitching: (isSwitching: boolean) => void
}

const PATIENT: readonly TabMethod[] = ['waitReady', 'waitConfirmed', 'settled', 'reached']

/** The way from a tab to whichever worker leads: calls outlive a leader, and are asked of the next one. */
export class TabLink {
  readonly tab: string
  readonly #host: LinkHost
  readonly #all: BroadcastChannel
  readonly #own: BroadcastChannel
  readonly #waiting = new Map<string, Waiting>()
  readonly #timer: ReturnType<typeof setInterval>
  #leader: string | null = null
  #session: string | null = null
  readonly #silence = new Silence(Date.now())
  #isSwitching = true
  #isClosed = false
  #lastHelloMs = 0

  constructor(replica: string, tab: string, host: LinkHost) {
    this.tab = tab
    this.#host = host
    this.#all = new BroadcastChannel(announcementChannel(replica))
    this.#own = new BroadcastChannel(tabChannel(this.tab))
    this.#all.onmessage = ({ data }: MessageEvent<Announcement>) => this.#receiveAnnouncement(data)
    this.#own.onmessage = ({ data }: MessageEvent<ToTab>) => this.#receive(data)
    this.#timer = setInterval(() => this.#look(), HELLO_MS)
    this.sayHello()
  }

  get leader(): string | null {
    return this.#leader
  }

  call<Method extends TabMethod>(
    method: Method,
    args: Parameters<TabCalls[Method]>,
    name = nanoid(),
  ): Promise<ReturnType<TabCalls[Method]>> {
    if (this.#isClosed) return Promise.reject(closedFault())
    return new Promise((resolve, reject) => {
      const isPatient = PATIENT.includes(method)
      const call: Waiting = {
        method,
        args,
        resolve: resolve as (answer: never) => void,
        reject,
        asked: null,
        isPatient,
      }
      this.#waiting.set(name, call)
      this.#ask(name, call)
    })
  }

  /** Says something to the leader that wants no answer. */
  send(
    message: ToLeader extends infer One ? (One extends { leader: string } ? Omit<One, 'leader'> : never) : never,
  ): void {
    // A closed channel throws, and who still has something to say, such as a hook that is unmounted later, need not know.
    if (this.#leader !== null && !this.#isClosed) this.#own.postMessage({ ...message, leader: this.#leader })
  }

  announce(announcement: Announcement): void {
    if (!this.#isClosed) this.#all.postMessage(announcement)
  }

  sayHello(): void {
    this.#lastHelloMs = Date.now()
    const { bundle, greet } = this.#host
    this.announce({ type: 'hello', tab: this.tab, bundle, ...greet() })
  }

  /** Rejects everything that waits, and asks nobody any more. */
  close(error: Error = closedFault()): void {
    if (this.#isClosed) return
    this.send({ type: 'goodbye' })
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    this.#all.close()
    this.#own.close()
  }

  #ask(name: string, call: Waiting): void {
    if (this.#leader === null || this.#isSwitching || call.asked === this.#session) return
    const isAgain = call.asked !== null
    call.asked = this.#session
    const { method, args } = call
    const by = { tab: this.tab, call: name }
    try {
      this.#own.postMessage({ type: 'call', leader: this.#leader, by, method, args, isAgain } satisfies ToLeader)
    } catch (error) {
      // A value that no structured clone carries: a function, a DOM node.
      this.#waiting.delete(name)
      call.reject(new TidemarkError('bad-input', `${String(error)}: pass data only.`, { cause: error }))
    }
  }

  #receiveAnnouncement(announcement: Announcement): void {
    if (announcement.type === 'leads') {
      const { leader, isOpen, bundle } = announcement
      if (leader !== this.#leader || !isOpen) this.#silence.hear()
      if (leader !== this.#leader) this.#switchFrom()
      if (isOpen && leader !== this.#leader && bundle.tabs === TABS_PROTOCOL) this.sayHello()
    }
    this.#host.onAnnounced(announcement)
  }

  #receive(message: ToTab): void {
    if (message.type === 'welcome') this.#welcome(message)
    if (message.leader !== this.#leader && message.type !== 'refused') return
    this.#silence.hear()
    if (this.#isSwitching && message.type === 'pong') this.#setSwitching(false)
    if (message.type === 'answer') this.#end(message.call)?.resolve(message.answer as never)
    else if (message.type === 'error') this.#end(message.call)?.reject(decodeError(message.error))
    else this.#host.onMessage(message)
  }

  #welcome({ leader, session, bundle }: Extract<ToTab, { type: 'welcome' }>): void {
    if (bundle.tabs !== TABS_PROTOCOL) return
    const isNew = session !== this.#session
    this.#leader = leader
    this.#session = session
    this.#silence.hear()
    this.#setSwitching(false)
    if (isNew) this.#host.onSession()
    this.#askAll()
  }

  #askAll(): void {
    for (const [name, call] of [...this.#waiting]) this.#ask(name, call)
  }

  #end(name: string): Waiting | undefined {
    const call = this.#waiting.get(name)
    this.#waiting.delete(name)
    return call
  }

  #switchFrom(): void {
    this.#leader = null
    this.#setSwitching(true)
  }

  #setSwitching(isSwitching: boolean): void {
    if (this.#isSwitching === isSwitching) return
    this.#isSwitching = isSwitching
    this.#host.onSwitching(isSwitching)
    if (!isSwitching) this.#askAll()
  }

  #look(): void {
    const nowMs = Date.now()
    const silentMs = this.#silence.look(nowMs)
    if (this.#leader === null) {
      if (nowMs - this.#lastHelloMs >= HELLO_MS) this.sayHello()
    } else {
      if (silentMs >= PING_MS) this.send({ type: 'ping', isVisible: this.#host.greet().isVisible })
      if (silentMs >= SILENT_MS) this.#setSwitching(true)
    }
    if (silentMs >= WAIT_MS && this.#isSwitching) this.#giveUp()
  }

  /** Nobody is left waiting for a leader that sleeps: what may have been done says so. */
  #giveUp(): void {
    for (const [name, { method, asked, isPatient, reject }] of [...this.#waiting]) {
      if (isPatient) continue
      this.#waiting.delete(name)
      const why = 'Another tab holds this replica and does not answer'
      const isDoubtful = asked !== null && !['readMutations', 'readMutation', 'describe'].includes(method)
      reject(
        isDoubtful
          ? new TidemarkError('outcome-unknown', `${why}: it may have been done. Look before doing it again.`)
          : new TidemarkError('stalled', `${why}: close that tab, or wait until it wakes.`),
      )
    }
  }
}
