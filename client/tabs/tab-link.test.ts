import { expect, onTestFinished, test } from 'vitest'
import { bundleOf } from './rules/compare-bundles.ts'
import { TabLink } from './tab-link.ts'
import { type ToLeader, type ToTab, tabChannel } from './tab-messages.ts'

const bundle = bundleOf({})

test('TAB-R13 what a closed tab would still say, such as that nobody watches a query any more, is said to nobody', async () => {
  const heard: ToLeader['type'][] = []
  const leading = new BroadcastChannel(tabChannel('one'))
  onTestFinished(() => leading.close())
  const welcomed = Promise.withResolvers<void>()
  const link = new TabLink('replica', 'one', {
    bundle,
    greet: () => ({ isVisible: true, locks: [], history: [], wish: null }) as never,
    onMessage: () => {},
    onSession: () => welcomed.resolve(),
    onAnnounced: () => {},
    onSwitching: () => {},
  })
  const told = Promise.withResolvers<void>()
  leading.onmessage = ({ data }: MessageEvent) => {
    heard.push((data as ToLeader).type)
    if ((data as ToLeader).type === 'goodbye') told.resolve()
  }
  leading.postMessage({ type: 'welcome', leader: 'a', session: 'b', bundle } satisfies Partial<ToTab>)
  await welcomed.promise
  link.close()
  link.send({ type: 'live', call: { do: 'close', query: 1 } })
  link.sayHello()
  await expect(link.call('settled', [])).rejects.toThrow('closed')
  await told.promise
  expect(heard).toEqual(['goodbye'])
})
