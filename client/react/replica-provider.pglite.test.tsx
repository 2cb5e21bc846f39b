import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { act, StrictMode } from 'react'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TidemarkError } from '../../protocol/index.ts'
import { provideDocument, renderInDom } from '../../testing/react/render-in-dom.ts'
import { note, WRITABLE } from '../../testing/replica/definitions.ts'
import { holdChunks } from '../../testing/replica/hold-chunks.ts'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { at, batch } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve } from '../../testing/replica/serve.ts'
import { startReplica } from '../../testing/replica/start-replica.ts'
import { openReplicaOn } from '../open-replica.ts'
import type { Replica, ReplicaOptions } from '../replica-api.ts'
import { noteLoss } from '../store/database-loss.ts'
import type { OpenDatabase } from '../store/open-database.ts'
import {
  type OpenFunction,
  type ReplicaOpening,
  ReplicaProvider,
  useLiveQuery,
  useMutationStatus,
  useReplica,
  useReplicaOpening,
  useSyncStatus,
} from './index.ts'

provideDocument()
closeAfterEach()

const NOTE = 'public.note'

/** A server with one note, and a function that opens replicas of it and counts. */
async function begin(more: Partial<ReplicaOptions> = {}) {
  const script = { start: at(0x100), fence: at(0x100), snapshot: '10:10:', rows: { [NOTE]: [note('1')] } }
  const { server, url } = await serve(WRITABLE, { 'org:a': script })
  const opened: Replica[] = []
  const events: string[] = []
  const open: OpenFunction = async (options) => {
    events.push('open')
    const replica = await startReplica(url, options)
    opened.push(replica as unknown as Replica)
    const close = replica.close.bind(replica)
    replica.close = async () => {
      events.push('closing')
      await close()
      events.push('closed')
    }
    return replica
  }
  const options: ReplicaOptions = {
    url,
    user: 'ann',
    token: () => 'token',
    sync: { tables: {} },
    storage: 'memory://',
    ...more,
  }
  const goLive = async (index: number) => {
    const session = await server.session(index)
    await session.frame('stream')
    session.send(batch(at(0x100), at(0x100)))
    return session
  }
  return { server, options, open, opened, events, goLive }
}

const until = async (test: () => boolean) => {
  while (!test()) await act(() => new Promise((resolve) => setTimeout(resolve, 5)))
}

function Titles() {
  const ready = useSyncStatus(({ ready: isReady }) => isReady)
  const { rows } = useLiveQuery<{ title: string }>('SELECT title FROM note ORDER BY id')
  return ready && rows ? rows.map(({ title }) => title).join() : 'loading'
}

describe('TAB-08 RCT-R2 ReplicaProvider', () => {
  it('TAB-08 RCT-R2 opens once in StrictMode, shows how far it is, and closes after it is unmounted', async () => {
    const { options, open, opened, events, goLive } = await begin()
    const fallback = ({ progress }: { progress: number }) => `opening ${progress >= 0 && progress <= 1}`
    const page = await renderInDom(
      <StrictMode>
        <ReplicaProvider options={options} open={open} fallback={fallback}>
          <Titles />
        </ReplicaProvider>
      </StrictMode>,
    )
    expect(page.text).toBe('opening true')
    await until(() => opened.length === 1)
    await act(() => goLive(0))
    await page.shows('title 1')
    expect(events).toEqual(['open'])
    await page.unmount()
    await until(() => events.includes('closed'))
    expect(events).toEqual(['open', 'closing', 'closed'])
    expect(opened[0]?.status.phase).toBe('closed')
  })

  it('TAB-08 RCT-R2 waits for the closing of a replica before it opens it again, and closes one that opened too late', async () => {
    const { options, open, events } = await begin()
    const node = (
      <ReplicaProvider options={options} open={open} fallback="opening">
        open
      </ReplicaProvider>
    )
    const first = await renderInDom(node)
    await first.unmount()
    const second = await renderInDom(node)
    await second.shows('open')
    expect(events.at(-1)).toBe('open')
    expect(events.filter((event) => event === 'closing')).toEqual(events.filter((event) => event === 'closed'))
    await second.unmount()
    const third = await renderInDom(node)
    await third.shows('open')
    await third.unmount()
    await until(() => events.at(-1) === 'closed')
    const pairs = events.join().match(/open,closing,closed/g)
    expect(pairs?.length).toBe(events.length / 3)
  })

  it('RCT-R2 shares one replica between providers of one name, and opens another for another user', async () => {
    const { options, open, opened, events } = await begin()
    function User() {
      return `[${opened.indexOf(useReplica() as never)}]`
    }
    const both = (
      <>
        <ReplicaProvider options={options} open={open} fallback="-">
          <User />
        </ReplicaProvider>
        <ReplicaProvider options={{ ...options }} open={open} fallback="-">
          <User />
        </ReplicaProvider>
        <ReplicaProvider options={{ ...options, user: 'bob' }} open={open} fallback="-">
          <User />
        </ReplicaProvider>
      </>
    )
    const page = await renderInDom(both)
    await page.shows((text) => ['[0][0][1]', '[1][1][0]'].includes(text))
    expect(events).toEqual(['open', 'open'])
    await page.unmount()
    await until(() => events.filter((event) => event === 'closed').length === 2)
  })

  it('RCT-R2 tells the fault of an opening, and tries again when asked, or by itself once another tab may be gone', async () => {
    const { options, open } = await begin()
    const faults: (string | null)[] = ['storage', 'already-open', 'already-open', null]
    const failing: OpenFunction = (asked) => {
      const fault = faults.shift()
      if (fault) return Promise.reject(new TidemarkError(fault as 'storage', `It is ${fault}.`))
      return open(asked)
    }
    let retry: () => void = () => undefined
    function Fault() {
      const opening = useReplicaOpening()
      retry = opening.retry
      return opening.error?.kind ?? (opening.replica ? 'open' : 'opening')
    }
    const page = await renderInDom(
      <ReplicaProvider options={options} open={failing}>
        <Fault />
      </ReplicaProvider>,
    )
    await page.shows('storage')
    await act(async () => retry())
    await page.shows('already-open')
    await page.shows('open')
    expect(faults).toEqual([])
    await page.unmount()
  })

  it('RCT-R2 TAB-R16 tells by which fault an open replica has closed, and opens it again when asked', async () => {
    const { options, events } = await begin()
    const opened: Replica[] = []
    let lose: (fault: TidemarkError) => void = () => undefined
    const openDatabase: OpenDatabase = async (storage) => {
      const db = await openPreparedDatabase(storage)
      const loss = Promise.withResolvers<TidemarkError>()
      noteLoss(db, loss.promise)
      lose = loss.resolve
      return db
    }
    const open: OpenFunction = async (asked) => {
      events.push('open')
      const replica = await openReplicaOn(asked, openDatabase)
      opened.push(replica as unknown as Replica)
      return replica
    }
    let retry: () => void = () => undefined
    const fallback = (opening: ReplicaOpening) => {
      retry = opening.retry
      return opening.error?.kind ?? 'opening'
    }
    const page = await renderInDom(
      <ReplicaProvider options={options} open={open} fallback={fallback}>
        open
      </ReplicaProvider>,
    )
    await page.shows('open')
    await act(async () => lose(new TidemarkError('storage', 'The worker has ended.')))
    await page.shows('storage')
    expect(opened[0]?.status).toMatchObject({ phase: 'closed', error: { kind: 'storage' } })
    await act(async () => retry())
    await page.shows('open')
    expect(events).toEqual(['open', 'open'])
    await page.unmount()
  })

  it('RCT-R2 calls the newest token function, and needs no fallback where its children look by themselves', async () => {
    const { options, open, opened, server } = await begin()
    const tokens = (token: string) => (
      <ReplicaProvider options={{ ...options, token: () => token }} open={open}>
        <Titles />
      </ReplicaProvider>
    )
    const page = await renderInDom(tokens('old'))
    expect(page.text).toBe('loading')
    await page.render(tokens('new'))
    await until(() => opened.length === 1)
    await server.session(0)
    expect(server.tokens).toEqual(['new'])
    await page.unmount()
  })
})

describe('RCT-R4 rows that came with the page', () => {
  it('RCT-R4 shows them in StrictMode while the replica opens and loads, and then its own, with nothing in between', async () => {
    const { server, options, open, opened, goLive } = await begin()
    const release = holdChunks(server)
    const seen: string[] = []
    const initialRows = { rows: [{ title: 'of the server' }], lsn: '0/100' }
    function Rendered() {
      const { rows } = useLiveQuery<{ title: string }>('SELECT title FROM note ORDER BY id', [], { initialRows })
      const shown = rows ? rows.map(({ title }) => title).join() : 'nothing'
      if (seen.at(-1) !== shown) seen.push(shown)
      return shown
    }
    const page = await renderInDom(
      <StrictMode>
        <ReplicaProvider options={options} open={open}>
          <Rendered />
        </ReplicaProvider>
      </StrictMode>,
    )
    await until(() => opened[0]?.status.hydration !== null && opened.length === 1)
    expect(page.text).toBe('of the server')
    release()
    await act(() => goLive(0))
    await page.shows('title 1')
    expect(seen).toEqual(['of the server', 'title 1'])
    await page.unmount()
  })
})

describe('TAB-10 after a reload', () => {
  it('TAB-10 RCT-R6 a mutation of an earlier visit is followed by its id', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const { options, open, opened, server, goLive } = await begin({ storage: join(folder, 'replica') })
    server.answerPush = () => 503
    let id = ''
    function Status() {
      return `${useMutationStatus(id === '' ? null : id).status}`
    }
    const visit = () =>
      renderInDom(
        <ReplicaProvider options={options} open={open} fallback="opening">
          <Status />
        </ReplicaProvider>,
      )
    const first = await visit()
    await until(() => opened.length === 1)
    await act(() => goLive(0))
    await first.shows('null')
    await act(async () => {
      await opened[0]?.ready
      const written = await opened[0]?.transaction((tx) => tx.query(`UPDATE note SET title = 'mine' WHERE id = '1'`))
      id = written?.id ?? ''
    })
    await first.unmount()
    const second = await visit()
    await second.shows((text) => text === 'pending' || text === 'sent')
    await second.unmount()
  })
})
