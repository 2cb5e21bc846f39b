import { nanoid } from 'nanoid'
import type { Sync } from '../../db/define-sync.ts'
import { TidemarkError } from '../../protocol/index.ts'
import type { LocalCore } from '../local-core.ts'
import { openLocalCore } from '../open-local-core.ts'
import { openingHere } from '../store/open-database-here.ts'
import { askTabs } from './leader-token.ts'
import { Leases } from './leases.ts'
import { type Bundle, compareBundles, TABS_PROTOCOL } from './rules/compare-bundles.ts'
import { encodeError } from './rules/error-data.ts'
import { type Announcement, type Candidacy, type ConnectionWish, type Greeting, tabChannel } from './tab-messages.ts'
import { TabSession } from './tab-session.ts'

/** The storage of a leader that has just gone is free within this time. */
const STORAGE_WAIT_MS = 5_000

export interface LeadOptions {
  readonly sync: Sync
  readonly candidacy: Candidacy
  readonly bundle: Bundle
  readonly announce: (announcement: Announcement) => void
}

/** Leads: opens the replica and serves every tab that asks, until it is to end. */
export class Leadership {
  readonly leader = nanoid()
  readonly #options: LeadOptions
  readonly #sessions = new Map<string, TabSession>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #firstGreeting = Promise.withResolvers<void>()
  readonly #greetings: Greeting[] = []
  #core: LocalCore | null = null
  #isLost = false
  #leases: Leases | null = null
  #wish: ConnectionWish | null = null
  /** The calls in hand, which a tab asks again where it lost its session meanwhile. */
  readonly #inHand = new Map<string, Promise<unknown>>()

  constructor(options: LeadOptions) {
    this.#options = options
  }

  /** Resolves when it has ended and everything is closed; with false where the replica could not be opened, or lost its database. */
  async run(): Promise<boolean> {
    this.#announce(false)
    try {
      this.#core = await this.#open()
    } catch (error) {
      const { tab } = this.#options.candidacy
      this.#options.announce({ type: 'opening-failed', leader: this.leader, tab, error: encodeError(error) })
      return false
    }
    this.#leases = new Leases(this.#core)
    this.#announce(true)
    for (const greeting of this.#greetings.splice(0)) this.greet(greeting)
    await this.#ended.promise
    this.#leases.endAll()
    for (const session of [...this.#sessions.values()]) session.end()
    // What cannot be closed in order went with the database.
    await this.#core.close().catch((error) => {
      if (!this.#isLost) throw error
    })
    return !this.#isLost
  }

  end(): void {
    this.#ended.resolve()
  }

  /** Opens a session for a tab, again where it comes again. A newer one that can lead gets the lead instead. */
  greet(greeting: Greeting): void {
    const { bundle } = this.#options
    if (!this.#core || !this.#leases) {
      this.#greetings.push(greeting)
      this.#announce(false)
    } else if (compareBundles(greeting.bundle, bundle) > 0 && greeting.isCandidate) {
      this.end()
    } else if (greeting.bundle.tabs === TABS_PROTOCOL) {
      this.#sessionOf(greeting, this.#core, this.#leases).welcome(bundle)
    } else {
      this.#refuse(greeting)
    }
  }

  #sessionOf(greeting: Greeting, core: LocalCore, leases: Leases): TabSession {
    const known = this.#sessions.get(greeting.tab)
    if (known) return known
    this.#follow(greeting.wish, core)
    const session = new TabSession({
      leader: this.leader,
      core,
      leases,
      inHand: this.#inHand,
      greeting,
      wish: () => this.#wish,
      onWished: (isOffline, envelope) => {
        this.#wish = { isOffline, envelope: envelope ?? this.#wish?.envelope ?? null, atMs: Date.now() }
        this.#tellAll()
      },
      onSignedOut: () => this.#endSignedOut(),
      tabs: () => ({
        role: greeting.tab === this.#options.candidacy.tab ? 'leader' : 'follower',
        count: this.#sessions.size,
      }),
      onEnded: () => {
        this.#sessions.delete(greeting.tab)
        this.#tellAll()
      },
    })
    this.#sessions.set(greeting.tab, session)
    this.#firstGreeting.resolve()
    this.#tellAll()
    return session
  }

  /** Does what a tab knows was asked of the leader before. */
  #follow(wish: ConnectionWish | null, core: LocalCore): void {
    const before = this.#wish
    if (wish === null || (before !== null && before.atMs >= wish.atMs)) return
    this.#wish = wish
    if (wish.isOffline) void core.goOffline()
    else if (before?.isOffline || wish.envelope) void core.goOnline(wish.envelope ?? undefined)
  }

  #tellAll(): void {
    for (const session of this.#sessions.values()) session.tellStatus()
  }

  #announce(isOpen: boolean): void {
    const { bundle, candidacy, announce } = this.#options
    announce({ type: 'leads', leader: this.leader, tab: candidacy.tab, bundle, isOpen })
  }

  async #open(): Promise<LocalCore> {
    const { sync, candidacy, announce } = this.#options
    const { open, onOpened } = openingHere()
    const core = await openLocalCore(
      {
        ...candidacy.options,
        sync,
        token: () => this.#getToken(),
        onWarning: (warning) => this.#warn(warning),
        onOpening: (progress) => announce({ type: 'opening', leader: this.leader, progress }),
      },
      open,
      { lockWaitMs: STORAGE_WAIT_MS, onLost: (fault) => this.#lose(fault) },
    )
    onOpened()
    return core
  }

  /** The database is gone, and is opened again by whoever leads next. */
  #lose(fault: TidemarkError): void {
    this.#isLost = true
    this.#warn(fault)
    this.end()
  }

  /** All tabs end with the replica, and no worker opens it anew. */
  #endSignedOut(): void {
    this.#options.announce({ type: 'signed-out' })
    this.end()
  }

  /** Waits for the first tab, which greets a moment after the replica is open. */
  async #getToken(): Promise<string> {
    await Promise.race([this.#firstGreeting.promise, this.#ended.promise])
    return askTabs(this.#sessions.values())
  }

  /** One tab is told of a loss, a visible one where there is any. */
  #warn(warning: TidemarkError): void {
    const [first] = [...this.#sessions.values()].sort((a, b) => Number(b.isVisible) - Number(a.isVisible))
    if (first) first.say({ type: 'warning', error: encodeError(warning) })
    else console.warn(warning)
  }

  #refuse({ tab }: Greeting): void {
    const message = 'Another tab runs another version of this app, and the two cannot share: reload this tab.'
    const channel = new BroadcastChannel(tabChannel(tab))
    const error = encodeError(new TidemarkError('upgrade-required', message))
    channel.postMessage({ type: 'refused', leader: this.leader, error })
    channel.close()
  }
}
