import { expect, test } from 'vitest'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { notesOf, openedFolders } from '../../testing/writing/opened-folders.ts'

closeAfterEach()

test('FLD-92 PSH-R2 what the server settled long ago fails here as unknown, keeps its data, and can be made again', async () => {
  const { server, replica } = await openedFolders()
  replica.goOffline()
  const written = await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'mine' WHERE id = '1'`))
  const called = await replica.actions.addOne({ id: '2' })
  server.answerPush = ({ mutations }) => ({
    outcomes: mutations.map(({ counter }) => ({ counter, status: 'settled' })),
    retry: null,
  })
  replica.goOnline()
  await expect(written.confirmed).rejects.toMatchObject({ rejection: { kind: 'outcome-unknown' } })
  await expect(called.confirmed).rejects.toMatchObject({ rejection: { kind: 'outcome-unknown' } })
  await statusThat(replica, ({ pending, failed }) => pending === 0 && failed === 2)
  expect(await notesOf(replica)).toMatchObject([{ title: 'first' }, { count: '0' }])
  expect(replica.failures[0]?.rows).toMatchObject([{ op: 'update', local: { title: 'mine' } }])
  replica.goOffline()
  for (const failure of replica.failures) await failure.retry()
  expect(await notesOf(replica)).toMatchObject([{ title: 'mine' }, { count: '1' }])
})
