import { expect, test } from 'vitest'
import { commitAll } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { openedFolders } from '../../testing/writing/opened-folders.ts'

closeAfterEach()

test('OPS-R7 a replica tells of work that has waited for long, of what was refused, and once there is none', async () => {
  const { server, replica } = await openedFolders()
  replica.goOffline()
  await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'b' WHERE id = '1'`))
  // As if the device had been without a network since then.
  await replica.db.query(`UPDATE tidemark.mutation SET at = '2026-01-01T00:00:00.000Z'`)
  await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'c' WHERE id = '2'`))
  await statusThat(replica, ({ pendingSince }) => pendingSince === '2026-01-01T00:00:00.000Z')
  server.answerPush = () => 503
  replica.goOnline()
  const session = await server.session(1)
  const late = await session.frame('unsent')
  expect(late).toMatchObject({ count: 2, failed: 0 })
  expect(late.oldestMs).toBeGreaterThan(3_600_000)
  expect(replica.status.pendingSince).toBe('2026-01-01T00:00:00.000Z')
  server.answerPush = (push) => ({
    ...commitAll(push),
    outcomes: push.mutations.map(({ counter }) =>
      counter === 1
        ? { counter, status: 'rejected', rejection: { kind: 'refused', message: 'No.' } }
        : { counter, status: 'committed' },
    ),
  })
  expect(await session.frame('unsent', ({ failed }) => failed === 1)).toMatchObject({ count: 0, oldestMs: null })
  const [failure] = replica.failures
  await failure?.discard()
  expect(await session.frame('unsent', ({ count, failed }) => count + failed === 0)).toMatchObject({ oldestMs: null })
})
