import { act } from 'react'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { provideDocument, renderInDom } from '../../testing/react/render-in-dom.ts'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { itemId, itemOf, todoSync } from '../../testing/replica/todo-sync.ts'
import { openTestReplicaOn, type TestReplica } from '../testing/open-test-replica.ts'
import {
  FailureReviewDialog,
  ReplicaProvider,
  RowMark,
  RowMarksProvider,
  TidemarkDebugPanel,
  useLiveQuery,
} from './index.ts'

provideDocument()

let server: TestReplica<typeof todoSync>
beforeAll(async () => {
  const rows = { item: [1, 2, 3].map((nth) => itemOf(nth)) }
  server = await openTestReplicaOn(todoSync, { rows, confirm: 'manually' }, openPreparedDatabase)
})
afterAll(() => server.close())

const rename = (nth: number, title: string) =>
  server.replica.transaction((tx) => tx.query('UPDATE item SET title = $2 WHERE id = $1', [itemId(nth), title]))

const titleOf = async (nth: number) =>
  (await server.replica.db.query<{ title: string }>('SELECT title FROM item WHERE id = $1', [itemId(nth)])).rows[0]
    ?.title

describe('RCT-R8 components', () => {
  it('RCT-R8 marks rows that wait or were refused, and none that is simply the server’s', async () => {
    const marks = (container: HTMLElement) =>
      [...container.querySelectorAll('.tidemark-row-mark')].map((mark) => mark.getAttribute('data-mark')).join()
    const page = await renderInDom(
      <ReplicaProvider replica={server.replica}>
        <RowMarksProvider>
          {[1, 2, 3].map((nth) => (
            <RowMark key={nth} id={itemId(nth)} />
          ))}
        </RowMarksProvider>
      </ReplicaProvider>,
    )
    const { id } = await rename(1, 'mine')
    await page.shows(() => /^(pending|sent)$/.test(marks(page.container)))
    await act(() => server.reject(id ?? '', { kind: 'forbidden' }))
    await page.shows(() => marks(page.container) === 'failed')
    await act(async () => server.replica.failures[0]?.discard())
    await page.shows(() => marks(page.container) === '')
  })

  it('RCT-R8 reviews refused changes one after the other, each as its user decides, field by field', async () => {
    const first = await rename(1, 'mine')
    const second = await rename(2, 'mine too')
    await server.serverWrites({ item: [{ id: itemId(1), title: 'theirs' }] })
    await server.confirmAll()
    await expect(first.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict' } })
    await second.confirmed
    const refused = await rename(3, 'no')
    await server.reject(refused.id ?? '', { kind: 'refused', message: 'Not this one.' })

    let isClosed = false
    const page = await renderInDom(
      <ReplicaProvider replica={server.replica}>
        <FailureReviewDialog columnWord={() => 'Name'} onClose={() => (isClosed = true)} />
      </ReplicaProvider>,
    )
    const click = (name: string) => {
      const button = [...page.container.querySelectorAll('button')].find(({ textContent }) => textContent === name)
      return act(async () => button?.click())
    }
    await page.shows((text) => text.includes('Two versions of one field') && text.includes('1 of 2'))
    expect(page.text).toContain('Namechanged by both')
    expect(page.text).toMatch(/Mine\s*mine/)
    expect(page.text).toMatch(/Theirs\s*theirs/)
    const theirs = page.container.querySelectorAll<HTMLInputElement>('input[type="radio"]')[1]
    await act(async () => theirs?.click())
    await click('Save this version')
    await page.shows((text) => text.includes('A change was refused') && text.includes('Not this one.'))
    expect(await titleOf(1)).toBe('theirs')
    await click('Save this version')
    await page.shows((text) => text.includes('Nothing left to decide'))
    await server.confirmAll()
    expect(await titleOf(3)).toBe('no')
    expect(isClosed).toBe(false)
  })

  it('RCT-R9 shows in a debug panel where the replica stands, its outbox, failures and live queries with their runs', async () => {
    function Titles() {
      return useLiveQuery('SELECT title FROM item ORDER BY id').rows?.length
    }
    const page = await renderInDom(
      <ReplicaProvider replica={server.replica}>
        <Titles />
        <TidemarkDebugPanel />
      </ReplicaProvider>,
    )
    const { id } = await rename(2, 'again')
    await page.shows((text) => /outbox1 pending, 0 failed/.test(text) && /update item/.test(text))
    expect(page.text).toContain('phaselive')
    expect(page.text).toMatch(/frames\d+ received/)
    await page.shows((text) =>
      /SELECT title FROM item ORDER BY id\d+ × [\d.]+ ms, last [\d.]+ ms3 rows, 1 reader/.test(text),
    )
    await act(() => server.reject(id ?? '', { kind: 'forbidden' }))
    await page.shows((text) => /Failures 1/.test(text) && text.includes('forbidden'))
    const discard = [...page.container.querySelectorAll('button')].find(({ textContent }) => textContent === 'Discard')
    await act(async () => discard?.click())
    await page.shows((text) => /Failures 0/.test(text))
  })
})
