import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Rejection } from '../../protocol/index.ts'
import { at, batch, commitAll, type ScriptedServer } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, start } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import {
  commit,
  type FolderReplica,
  folderSync,
  live,
  notesOf,
  openedFolders,
} from '../../testing/writing/opened-folders.ts'

closeAfterEach()

const CONFLICT: Rejection = {
  kind: 'conflict',
  message: 'Somebody else changed it.',
  table: 'public.note',
  key: { id: '1' },
  columns: ['title'],
  row: { id: '1', title: 'theirs' },
}

/** Makes the server refuse the mutations that a test names, and commit the rest. */
function refuse(server: ScriptedServer, ...refused: number[]): void {
  server.answerPush = (push) => ({
    ...commitAll(push),
    outcomes: push.mutations.map(({ counter }) =>
      refused.includes(counter)
        ? { counter, status: 'rejected', rejection: CONFLICT }
        : { counter, status: 'committed' },
    ),
  })
}

const write = (replica: FolderReplica, sql: string) => replica.transaction((tx) => tx.query(sql))
const FAILED = `SELECT counter FROM tidemark.mutation WHERE status = 'failed'`
const failing = (replica: FolderReplica, count: number) => statusThat(replica, ({ failed }) => failed === count)

/** A server's change of the first note, once it is here. */
async function changeFirst(server: ScriptedServer, replica: FolderReplica, d: Record<string, string>, session = 0) {
  const before = server.head
  server.head = at(Number.parseInt(before, 16) + 0x10)
  const change = { o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d } as const
  const opened = await server.session(session)
  opened.send(batch(before, server.head, [{ lsn: server.head, xid: '77', changes: [change] }]))
  await replica.reached(server.head)
}

describe('failures', () => {
  test('OUT-21 OBX-R12 a failed edit survives a restart; retry writes it on the row as it is now', async () => {
    const storage = await mkdtemp(join(tmpdir(), 'tidemark-'))
    onTestFinished(() => rm(storage, { recursive: true, force: true }))
    const { server, url, replica } = await openedFolders(join(storage, 'replica'))
    refuse(server, 1)
    const { confirmed, id } = await write(replica, `UPDATE note SET title = 'mine' WHERE id = '1'`)
    await expect(confirmed).rejects.toMatchObject({ name: 'MutationFailed', id, rejection: CONFLICT })
    await changeFirst(server, replica, { title: 'theirs' })
    expect(await notesOf(replica)).toMatchObject([{ title: 'theirs' }, { title: 'first' }])
    await replica.close()

    const again: FolderReplica = await start(url, { sync: folderSync, storage: join(storage, 'replica') })
    await live(again)
    await statusThat(again, () => (again.failures[0]?.rows[0]?.server ?? null) !== null)
    expect(again.status).toMatchObject({ failed: 1, pending: 0 })
    const [failure] = again.failures
    expect(failure).toMatchObject({
      id,
      action: null,
      rejection: CONFLICT,
      rows: [{ table: 'public.note', op: 'update', key: { id: '1' }, local: { title: 'mine' } }],
    })
    expect(failure?.rows[0]?.server).toMatchObject({ id: '1', title: 'theirs', count: '0', slug: null })
    const retried = await failure?.retry()
    await statusThat(again, ({ failed }) => failed === 0)
    expect(again.failures).toEqual([])
    const { mutations } = await server.push(1)
    expect(mutations).toMatchObject([{ counter: 2, rows: [{ d: { title: 'mine' }, b: { title: { v: 'theirs' } } }] }])
    commit(server, await server.session(1), ...mutations)
    await retried?.confirmed
    expect(await notesOf(again)).toMatchObject([{ title: 'mine' }, { title: 'first' }])
    expect(await again.mutation(id ?? '')).toBeNull()
  })

  test('OUT-21 OBX-R12 edit writes other values, discard nothing; what cannot be written stays a failure', async () => {
    const { server, replica } = await openedFolders()
    refuse(server, 1, 2, 3)
    await write(replica, `UPDATE note SET title = 'one' WHERE id = '1'`)
    await write(replica, `UPDATE note SET title = 'two' WHERE id = '2'`)
    await replica.actions.addFolder({ name: 'three' })
    await failing(replica, 3)
    const [one, two, three] = replica.failures
    expect(three).toMatchObject({ action: { name: 'addFolder', args: { name: 'three' } }, rows: [{ op: 'insert' }] })
    refuse(server)
    await one?.edit({ row: 0, values: { title: 'edited' } })
    await two?.discard()
    await three?.edit({ args: { name: 'four' } })
    await failing(replica, 0)
    // What is decided on is decided on.
    await two?.discard()
    await expect(two?.retry()).rejects.toMatchObject({ kind: 'not-found' })
    expect(await notesOf(replica)).toMatchObject([{ title: 'edited' }, { title: 'first' }])
    expect((await replica.db.query('SELECT name FROM folder')).rows).toEqual([{ name: 'four' }])

    refuse(server, 6)
    await write(replica, `UPDATE note SET title = 'six' WHERE id = '2'`)
    await failing(replica, 1)
    const before = server.head
    server.head = at(Number.parseInt(before, 16) + 0x10)
    const gone = { o: 'd', t: 'public.note', a: 'org:a', k: { id: '2' } } as const
    const session = await server.session(0)
    session.send(batch(before, server.head, [{ lsn: server.head, xid: '78', changes: [gone] }]))
    await replica.reached(server.head)
    const [six] = replica.failures
    await expect(six?.retry()).rejects.toMatchObject({ rejection: { kind: 'missing-row', key: { id: '2' } } })
    await expect(six?.edit({ args: {} })).rejects.toMatchObject({ kind: 'bad-input' })
    expect(replica.failures).toHaveLength(1)
  })

  test('OUT-21 OBX-R12 retrying an action and letting go of what failed happen together, or neither does', async () => {
    const { server, replica } = await openedFolders()
    refuse(server, 1)
    await replica.actions.addOne({ id: '1' })
    await failing(replica, 1)
    await replica.db.exec(`
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'It stays.'; END $$;
      CREATE TRIGGER keep BEFORE DELETE ON tidemark.mutation FOR EACH ROW EXECUTE FUNCTION keep()`)
    await expect(replica.failures[0]?.retry()).rejects.toThrow('It stays.')
    expect((await replica.mutations({ limit: 10 })).map(({ status }) => status)).toEqual(['failed'])
    expect(await notesOf(replica)).toMatchObject([{ count: '0' }, { count: '0' }])
    await replica.db.exec('DROP TRIGGER keep ON tidemark.mutation')
    refuse(server)
    const [failure] = replica.failures
    const retries = await Promise.all([failure?.retry(), failure?.retry()])
    await failing(replica, 0)
    expect(await notesOf(replica)).toMatchObject([{ count: '1' }, { count: '0' }])
    // The second answers what the first made, and so does one that comes late.
    expect(retries[1]?.id).toBe(retries[0]?.id)
    expect((await failure?.retry())?.id).toBe(retries[0]?.id)
    await failure?.discard()
    expect(await notesOf(replica)).toMatchObject([{ count: '1' }, { count: '0' }])
  })

  test('TAB-R21 a decision is one step: what is called after it comes after, though nothing is awaited', async () => {
    const { server, replica } = await openedFolders()
    refuse(server, 1, 2, 3, 4)
    await write(replica, `UPDATE note SET title = 'mine' WHERE id = '1'`)
    await write(replica, `UPDATE note SET title = 'mine' WHERE id = '2'`)
    await failing(replica, 2)
    await replica.actions.addOne({ id: '1' })
    await write(replica, `UPDATE note SET slug = 'mine' WHERE id = '2'`)
    await failing(replica, 4)
    replica.goOffline()
    const [patch, edited, action, discarded] = replica.failures
    const later = (sql: string) => replica.db.query(sql)
    await Promise.all([
      patch?.retry(),
      later(`UPDATE note SET title = 'later ' || title WHERE id = '1'`),
      action?.retry(),
      later(`UPDATE note SET count = count * 10 WHERE id = '1'`),
      edited?.edit({ row: 0, values: { title: 'otherwise' } }),
      later(`UPDATE note SET title = 'later ' || title WHERE id = '2'`),
    ])
    expect(await notesOf(replica)).toMatchObject([
      { title: 'later mine', count: '10' },
      { title: 'later otherwise', slug: null },
    ])
    const [, left] = await Promise.all([discarded?.discard(), later(FAILED)])
    expect(left.rows).toEqual([])
  })

  test('REB-17 OBX-R12 what fails takes its dependents; discarding it leaves them, and the rest, as they are', async () => {
    const { server, replica } = await openedFolders()
    replica.goOffline()
    await write(replica, `INSERT INTO folder VALUES ('f', 'a', 'new')`)
    await write(replica, `INSERT INTO note (id, org, folder) VALUES ('3', 'a', 'f'), ('4', 'a', 'f')`)
    await write(replica, `UPDATE note SET title = 'kept' WHERE id = '1'`)
    refuse(server, 1)
    replica.goOnline()
    await failing(replica, 2)
    expect(replica.failures.map(({ rejection }) => rejection.kind)).toEqual(['conflict', 'dependency'])
    expect(await notesOf(replica)).toMatchObject([{ title: 'kept' }, { title: 'first' }])
    const [parent, children] = replica.failures
    await parent?.discard()
    await failing(replica, 1)
    expect(replica.failures.map(({ id }) => id)).toEqual([children?.id])
    // Without its parent it cannot be: the local database says so, and it stays.
    await expect(children?.retry()).rejects.toThrow(/note_folder_fkey/)
    expect(await notesOf(replica)).toMatchObject([{ title: 'kept' }, { title: 'first' }])
  })

  test('OBX-R14 a failure that nobody looks at is no unhandled rejection', async () => {
    const { server, replica } = await openedFolders()
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    refuse(server, 1)
    await replica.actions.addOne({ id: '1' })
    await failing(replica, 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).toEqual([])
  })
})
