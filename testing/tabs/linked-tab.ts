import type { LocalCore } from '../../client/local-core.ts'
import { Leases } from '../../client/tabs/leases.ts'
import { bundleOf } from '../../client/tabs/rules/compare-bundles.ts'
import { TabCore } from '../../client/tabs/tab-core.ts'
import { TabDatabase } from '../../client/tabs/tab-database.ts'
import { TabLink } from '../../client/tabs/tab-link.ts'
import { lockTab } from '../../client/tabs/tab-lock.ts'
import { TabSession } from '../../client/tabs/tab-session.ts'
import { folderSync } from '../writing/folder-sync.ts'

/** One tab, and the end of it. */
export interface LinkedTab {
  readonly name: string
  readonly link: TabLink
  readonly db: TabDatabase
  readonly core: TabCore
  end(): void
}

/** Makes a tab and the leader's session that serves it, each with its end of the channel between them. */
export async function linkTab(core: LocalCore, name: string): Promise<LinkedTab> {
  const bundle = bundleOf(folderSync)
  const lock = await lockTab(name)
  const greeting = { isVisible: true, isCandidate: false, history: null, wish: null }
  const welcomed = Promise.withResolvers<void>()
  const link: TabLink = new TabLink('replica', lock.tab, {
    bundle,
    greet: () => greeting,
    onMessage: (message) => {
      if (message.type === 'notification') db.receiveNotification(message.channel, message.payload)
    },
    onSession: () => welcomed.resolve(),
    onAnnounced: () => undefined,
    onSwitching: () => undefined,
  })
  const session = new TabSession({
    leader: 'leader',
    core,
    leases: new Leases(core),
    inHand: new Map(),
    greeting: { ...greeting, tab: lock.tab, bundle },
    tabs: () => ({ role: 'follower', count: 1 }),
    wish: () => null,
    onWished: () => undefined,
    onSignedOut: () => undefined,
    onEnded: () => undefined,
  })
  const db = new TabDatabase(link, async () => undefined)
  const tab = new TabCore(link, db.order, async () => undefined)
  session.welcome(bundle)
  await welcomed.promise
  const end = () => {
    link.close()
    session.end()
    lock.release()
  }
  return { name: lock.tab, link, db, core: tab, end }
}
