import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pglite'
import { act, Component, type ReactNode, StrictMode, Suspense, startTransition, useState } from 'react'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { provideDocument, renderInDom } from '../../testing/react/render-in-dom.ts'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { item, itemId, itemOf, todoSync } from '../../testing/replica/todo-sync.ts'
import { openTestReplicaOn, type TestReplica } from '../testing/open-test-replica.ts'
import {
  ReplicaProvider,
  useFailures,
  useLiveQuery,
  useMutationStatus,
  useMutations,
  useReplica,
  useSyncStatus,
} from './index.ts'

provideDocument()

let server: TestReplica<typeof todoSync>
beforeAll(async () => {
  server = await openTestReplicaOn(
    todoSync,
    { rows: { item: [itemOf(1), itemOf(2), itemOf(3, { urgency: 'high' })] }, confirm: 'manually' },
    openPreparedDatabase,
  )
})
beforeEach(async () => {
  await server.confirmAll()
  for (const failure of server.replica.failures) await failure.discard()
  await server.serverWrites({ item: [1, 2, 3].map((nth) => ({ id: itemId(nth), title: `item ${nth}` })) })
})
afterAll(() => server.close())

const inProvider = (node: ReactNode) => (
  <StrictMode>
    <ReplicaProvider replica={server.replica}>{node}</ReplicaProvider>
  </StrictMode>
)

const TITLES = 'SELECT id, title FROM item ORDER BY id'
const OF_URGENCY = 'SELECT id, title FROM item WHERE urgency = $1 ORDER BY id'

interface TitleRow {
  readonly id: string
  readonly title: string
}
const words = (rows: readonly TitleRow[] | null) => (rows ? rows.map(({ title }) => title).join(', ') : 'nothing')

describe('TAB-09 useLiveQuery', () => {
  it('TAB-09 RCT-R3 renders once for a transaction, and rows that stayed as they were are the same objects', async () => {
    const renders: (readonly TitleRow[])[] = []
    function Titles() {
      const { rows } = useLiveQuery<TitleRow>(TITLES)
      if (rows && rows !== renders.at(-1)) renders.push(rows)
      return words(rows)
    }
    const page = await renderInDom(<ReplicaProvider replica={server.replica}>{<Titles />}</ReplicaProvider>)
    await page.shows('item 1, item 2, item 3')
    const before = renders.length
    await act(async () => {
      await server.replica.transaction(async (tx) => {
        await tx.query(`UPDATE item SET title = 'one' WHERE id = $1`, [itemId(1)])
        await tx.query(`UPDATE item SET title = 'two' WHERE id = $1`, [itemId(2)])
      })
    })
    await page.shows('one, two, item 3')
    expect(renders.length - before).toBe(1)
    const [last, now] = renders.slice(-2)
    expect(now?.[2]).toBe(last?.[2])
    await server.confirmAll()
  })

  it('TAB-09 RCT-R3 keeps the rows of the parameters before, marked as stale, while others are on their way', async () => {
    const seen: string[] = []
    let choose: (urgency: string) => void = () => undefined
    function Chosen() {
      const [urgency, setUrgency] = useState('high')
      choose = setUrgency
      const { rows, isStale } = useLiveQuery<TitleRow>(OF_URGENCY, [urgency])
      const shown = `${urgency}${isStale ? ' (stale)' : ''}: ${words(rows)}`
      if (seen.at(-1) !== shown) seen.push(shown)
      return shown
    }
    const page = await renderInDom(inProvider(<Chosen />))
    await page.shows('high: item 3')
    seen.length = 0
    await act(async () => choose('low'))
    await page.shows('low: item 1, item 2')
    expect(seen).toEqual(['low (stale): item 3', 'low: item 1, item 2'])
    // The last wins, whatever the order of the answers.
    await act(async () => {
      choose('high')
      choose('low')
      choose('high')
    })
    await page.shows('high: item 3')
  })

  it('RCT-R3 takes SQL, an object of both and a query of drizzle, each typed', async () => {
    const db = drizzle(server.replica.db)
    function Three() {
      const bySql = useLiveQuery<TitleRow>(OF_URGENCY, ['high']).rows
      const byObject = useLiveQuery<TitleRow>({ sql: OF_URGENCY, params: ['low'] }).rows
      const ofDrizzle = useLiveQuery(
        db
          .select({ title: item.title, made: item.createdAt })
          .from(item)
          .where(eq(item.id, itemId(2))),
      ).rows
      const made: Date | undefined = ofDrizzle?.[0]?.made
      return [words(bySql), words(byObject), ofDrizzle?.[0]?.title, made instanceof Date].join(' | ')
    }
    const page = await renderInDom(inProvider(<Three />))
    await page.shows('item 3 | item 1, item 2 | item 2 | true')
  })

  it('RCT-R3 shows one state of the replica in all components, while a transition renders slowly', async () => {
    const torn: string[] = []
    let widen: () => void = () => undefined
    function Counted({ delayMs }: { delayMs: number }) {
      const until = performance.now() + delayMs
      while (performance.now() < until);
      const { rows } = useLiveQuery<TitleRow>(TITLES)
      return <i>{words(rows)}</i>
    }
    function Wide() {
      const [width, setWidth] = useState(1)
      widen = () => startTransition(() => setWidth(20))
      return Array.from({ length: width }, (_, index) => <Counted key={String(index)} delayMs={width === 1 ? 0 : 3} />)
    }
    const page = await renderInDom(inProvider(<Wide />))
    await page.shows('item 1, item 2, item 3')
    const observer = new window.MutationObserver(() => {
      const texts = new Set([...page.container.querySelectorAll('i')].map((one) => one.textContent))
      if (texts.size > 1) torn.push([...texts].join(' / '))
    })
    observer.observe(page.container as never, { childList: true, subtree: true, characterData: true })
    await act(async () => {
      widen()
      await server.serverWrites({ item: [{ id: itemId(1), title: 'one' }] })
    })
    await page.shows('one, item 2, item 3'.repeat(20))
    observer.disconnect()
    expect(torn).toEqual([])
  })

  it('RCT-R5 suspends until the first rows are there, also in StrictMode, and throws the fault of a query', async () => {
    class Boundary extends Component<{ children: ReactNode }, { message: string | null }> {
      override state = { message: null }
      static getDerivedStateFromError(error: Error) {
        return { message: error.message }
      }
      override render() {
        return this.state.message ?? this.props.children
      }
    }
    function Suspended({ sql }: { sql: string }) {
      const { rows } = useLiveQuery<TitleRow>(sql, undefined, { suspense: true })
      return rows.map(({ title }) => title).join(', ')
    }
    const render = (sql: string) =>
      inProvider(
        <Boundary>
          <Suspense fallback="waiting">
            <Suspended sql={sql} />
          </Suspense>
        </Boundary>,
      )
    const page = await renderInDom(render('SELECT title FROM item WHERE rank < 100 ORDER BY id'))
    await page.shows('item 1, item 2, item 3')
    const broken = await renderInDom(render('SELECT nothing FROM item'))
    await broken.shows('column "nothing" does not exist')
  })

  /** A place in the log beyond what the replica of these tests holds. */
  const aheadOf = (replica: { readonly status: { readonly lsn: string | null } }) =>
    (BigInt(`0x${replica.status.lsn}`) + 0x10n).toString(16).padStart(16, '0')
  const rendered = (lsn: string) => ({ rows: [{ id: itemId(1), title: 'rendered' }], lsn })

  it('RCT-R4 shows the rows that came with the page until its own query is answered at their commit, though others have it open', async () => {
    const initialRows = rendered(aheadOf(server.replica))
    const seen: string[] = []
    const see = (shown: string) => {
      if (seen.at(-1) !== shown) seen.push(shown)
      return shown
    }
    let choose: (urgency: string) => void = () => undefined
    function Titles() {
      const { rows, isStale } = useLiveQuery<TitleRow>(TITLES, [], { initialRows })
      return see(`${words(rows)}${isStale ? ' (stale)' : ''}`)
    }
    function Chosen() {
      const [urgency, setUrgency] = useState('low')
      choose = setUrgency
      return words(useLiveQuery<TitleRow>(OF_URGENCY, [urgency], { initialRows, suspense: true }).rows)
    }
    function OnlyTitles() {
      return words(useLiveQuery<TitleRow>(TITLES).rows)
    }
    // The query is answered elsewhere already; what came with the page is newer.
    const other = await renderInDom(inProvider(<OnlyTitles />))
    await other.shows('item 1, item 2, item 3')
    const page = await renderInDom(inProvider(<Titles />))
    const chosen = await renderInDom(inProvider(<Suspense fallback="waiting">{<Chosen />}</Suspense>))
    expect(chosen.text).toBe('rendered')
    await act(() => server.serverWrites({ item: [{ id: itemId(2), title: 'two' }] }))
    await page.shows('item 1, two, item 3')
    expect(seen).toEqual(['rendered (stale)', 'item 1, two, item 3'])
    // What came with the page was for the parameters of then, and is never shown again.
    await chosen.shows('item 1, two')
    await act(async () => choose('high'))
    await chosen.shows((text) => text !== 'item 1, two')
    expect(chosen.text).not.toContain('rendered')
    await chosen.shows('item 3')
  })

  it('RCT-R4 shows the rows that came with the page anew for a replica that does not hold their commit', async () => {
    const behind = await openTestReplicaOn(todoSync, { rows: { item: [itemOf(1)] } }, openPreparedDatabase)
    onTestFinished(() => behind.close())
    await server.serverWrites({ item: [{ id: itemId(2), title: 'two' }] })
    const initialRows = rendered(server.replica.status.lsn ?? '')
    expect((behind.replica.status.lsn ?? '') < initialRows.lsn).toBe(true)
    const seen: string[] = []
    function Titles() {
      const { rows } = useLiveQuery<TitleRow>(TITLES, [], { initialRows })
      const shown = words(rows)
      if (seen.at(-1) !== shown) seen.push(shown)
      return shown
    }
    const of = ({ replica }: typeof server) => (
      <StrictMode>
        <ReplicaProvider replica={replica}>{<Titles />}</ReplicaProvider>
      </StrictMode>
    )
    const page = await renderInDom(of(server))
    await page.shows('item 1, two, item 3')
    await page.render(of(behind))
    await page.shows('rendered')
    expect(seen).toEqual(['rendered', 'item 1, two, item 3', 'rendered'])
  })

  it('TAB-08 ends its query when it is unmounted', async () => {
    const followed = new Set<string>()
    const store = server.replica.live<TitleRow>(TITLES)
    const counted = {
      getSnapshot: () => store.getSnapshot(),
      refresh: () => store.refresh(),
      subscribe(listener: () => void) {
        const id = crypto.randomUUID()
        followed.add(id)
        const stop = store.subscribe(listener)
        return () => {
          followed.delete(id)
          stop()
        }
      },
    }
    const counting = new Proxy(server.replica, {
      get: (target, name) => (name === 'live' ? () => counted : Reflect.get(target, name)),
    })
    function Titles() {
      return words(useLiveQuery<TitleRow>({ sql: TITLES }).rows)
    }
    const page = await renderInDom(
      <StrictMode>
        <ReplicaProvider replica={counting}>
          <Titles />
        </ReplicaProvider>
      </StrictMode>,
    )
    expect(followed.size).toBe(1)
    await page.unmount()
    expect(followed.size).toBe(0)
  })
})

describe('TAB-10 states of mutations', () => {
  it('TAB-10 RCT-R6 follows one by its id alone, as after a reload, to its end', async () => {
    const { id } = await server.replica.transaction((tx) =>
      tx.query(`UPDATE item SET title = 'mine' WHERE id = $1`, [itemId(1)]),
    )
    function Status() {
      const known = useMutationStatus(id)
      const unknown = useMutationStatus('another-client-of-long-ago:1')
      return `${known.status} ${known.rejection?.kind ?? 'fine'}, ${unknown.isKnown}`
    }
    const page = await renderInDom(inProvider(<Status />))
    await page.shows((text) => /^(pending|sent) fine, false$/.test(text))
    await act(() => server.reject(id ?? '', { kind: 'forbidden' }))
    await page.shows('failed forbidden, false')
    function Failed() {
      return useFailures()
        .map((failure) => failure.rejection.kind)
        .join()
    }
    const failures = await renderInDom(inProvider(<Failed />))
    expect(failures.text).toBe('forbidden')
    await act(async () => server.replica.failures[0]?.discard())
    await failures.shows('')
    await page.shows('null fine, false')
  })

  it('RCT-R6 takes a handle, one of a transaction that wrote nothing too, and tells when it is confirmed', async () => {
    const handle = await server.replica.actions.finish({ id: itemId(1) })
    const nothing = await server.replica.transaction((tx) => tx.query('SELECT 1'))
    function Status() {
      return `${useMutationStatus(handle).status}, ${useMutationStatus(nothing).status}, ${useMutationStatus(null).status}`
    }
    const page = await renderInDom(inProvider(<Status />))
    await page.shows((text) => /^(pending|sent), confirmed, null$/.test(text))
    await act(() => server.confirmAll())
    await page.shows('confirmed, confirmed, null')
  })
})

describe('TAB-06 a sign-out', () => {
  it('TAB-06 TAB-R22 empties what is shown of rows, mutations and failures', async () => {
    const own = await openTestReplicaOn(
      todoSync,
      { rows: { item: [itemOf(1), itemOf(2)] }, confirm: 'manually' },
      openPreparedDatabase,
    )
    onTestFinished(() => own.close())
    const refused = await own.replica.actions.finish({ id: itemId(2) })
    await own.reject(refused.id, { kind: 'forbidden' })
    await own.replica.actions.finish({ id: itemId(1) })
    function Shown() {
      const { rows } = useLiveQuery<TitleRow>(TITLES)
      const [newest] = useMutations()
      const { pending, failed } = useSyncStatus()
      return `${words(rows)}; ${newest?.action?.name ?? 'no action'}; ${pending} ${failed} ${useFailures().length}`
    }
    const page = await renderInDom(
      <StrictMode>
        <ReplicaProvider replica={own.replica}>
          <Shown />
        </ReplicaProvider>
      </StrictMode>,
    )
    await page.shows('item 1, item 2; finish; 1 1 1')
    await act(() => own.replica.signOut({ dropUnsent: true }))
    await page.shows('; no action; 0 0 0')
  })
})

describe('RCT-R7 useSyncStatus', () => {
  it('RCT-R7 renders only where the part that was picked differs', async () => {
    let renders = 0
    function Phase() {
      const { phase, canUndo } = useSyncStatus((status) => ({ phase: status.phase, canUndo: status.canUndo }))
      renders += 1
      return `${phase} ${typeof canUndo} ${useReplica().status.ready}`
    }
    const page = await renderInDom(<ReplicaProvider replica={server.replica}>{<Phase />}</ReplicaProvider>)
    await page.shows('live boolean true')
    const before = renders
    await act(() => server.serverWrites({ item: [{ id: itemId(2), title: 'new' }] }))
    expect(renders).toBe(before)
    await act(async () => server.replica.goOffline())
    await page.shows('offline boolean true')
    await act(async () => server.replica.goOnline())
    await page.shows('live boolean true')
  })
})
