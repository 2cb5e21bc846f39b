import { describe, expect, test } from 'vitest'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { type FolderReplica, notesOf, openedFolders } from '../../testing/writing/opened-folders.ts'
import { UnsentWork } from '../mutations/unsent-work.ts'

closeAfterEach()

const write = (replica: FolderReplica, title: string, id: string) =>
  replica.transaction((tx) => tx.query(`UPDATE note SET title = $1 WHERE id = $2`, [title, id]))

/** A replica with one mutation that failed, one that was sent without an answer, and two that were never sent. */
async function unsent() {
  const { server, replica } = await openedFolders()
  server.answerPush = ({ mutations }) => ({
    outcomes: mutations.map(({ counter }) => ({
      counter,
      status: 'rejected',
      rejection: { kind: 'refused', message: 'Not today.' },
    })),
    retry: null,
  })
  await expect((await write(replica, 'failed', '1')).confirmed).rejects.toThrow('Not today.')
  server.answerPush = () => null
  await write(replica, 'sent', '1')
  await server.push(1)
  replica.goOffline()
  await statusThat(replica, ({ failed }) => failed === 1)
  await replica.actions.addOne({ id: '2' })
  await replica.db.exec(`UPDATE note SET title = 'pending' WHERE id = '2'`)
  return replica
}

describe('unsent work', () => {
  test('FLD-153 JRN-R14 is exported as plain data, with what each wrote and why it failed', async () => {
    const replica = await unsent()
    const told = await replica.export()
    expect(JSON.parse(JSON.stringify(told))).toEqual(told)
    expect(told).toMatchObject({
      format: 1,
      user: 'ann',
      shown: { version: 1, hash: 'hash-one', epoch: 'epoch-one' },
      unsent: 4,
    })
    expect(told.mutations).toMatchObject([
      {
        status: 'failed',
        rejection: { message: 'Not today.' },
        patch: [{ t: 'public.note', o: 'u', k: { id: '1' }, d: { title: 'failed' } }],
      },
      { status: 'sent', rejection: null, patch: [{ d: { title: 'sent' } }] },
      {
        status: 'pending',
        kind: 'action',
        action: { name: 'addOne', args: { id: '2' } },
        patch: null,
        writes: [{ table: 'public.note', op: 'update', before: { count: '0' }, after: { count: '1' } }],
      },
      { status: 'pending', kind: 'patch', writes: [{ after: { title: 'pending' } }] },
    ])
    expect(told.mutations.map(({ id }) => id)).toEqual((await replica.mutations()).map(({ id }) => id).reverse())
    expect(JSON.stringify(told)).not.toContain('token')
  })

  test('FLD-153 JRN-R14 an export holds no more than it is asked for and than its bound, the oldest first, and says how much there is', async () => {
    const replica = await unsent()
    expect(await replica.export({ limit: 2 })).toMatchObject({
      unsent: 4,
      mutations: [{ status: 'failed' }, { status: 'sent' }],
    })
    const long = 'x'.repeat(200_000)
    for (let count = 0; count < 12; count++) await write(replica, `${count}${long}`, '2')
    const { unsent: all, mutations } = await replica.export()
    expect(all).toBe(16)
    expect(mutations.length).toBeGreaterThan(4)
    expect(mutations.length).toBeLessThan(16)
  })

  test('FLD-154 JRN-R15 a sign-out says what it would drop and does nothing, until it is told to drop it', async () => {
    const replica = await unsent()
    const refused = await replica.signOut().catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(UnsentWork)
    expect(refused).toMatchObject({ name: 'UnsentWork', pending: 3, failed: 1 })
    expect(replica.status.phase).toBe('offline')
    expect(await notesOf(replica)).toMatchObject([{ title: 'sent' }, { title: 'pending', count: '1' }])
    await replica.signOut({ dropUnsent: true })
    expect(replica.status.phase).toBe('closed')
    await expect(replica.signOut()).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(replica.export()).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
