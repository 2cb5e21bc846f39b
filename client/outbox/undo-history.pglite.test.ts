import { describe, expect, test } from 'vitest'
import { at, batch, commitAll } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { type FolderReplica, notesOf, openedFolders } from '../../testing/writing/opened-folders.ts'

closeAfterEach()

const write = (replica: FolderReplica, sql: string) => replica.transaction((tx) => tx.query(sql))

describe('undo', () => {
  test('OBX-R13 one local transaction after another is taken back and brought back, whatever it wrote', async () => {
    const { replica } = await openedFolders()
    replica.goOffline()
    await replica.transaction(async (tx) => {
      await tx.query(`INSERT INTO folder VALUES ('f', 'a', 'new')`)
      await tx.query(`INSERT INTO note (id, org, folder, title) VALUES ('3', 'a', 'f', 'new')`)
    })
    await replica.db.query(`UPDATE note SET title = 'edited', slug = 's' WHERE id <> '2'`).catch(() => undefined)
    await replica.db.query(`UPDATE note SET title = 'edited' WHERE id IN ('1', '3')`)
    await replica.actions.addOne({ id: '1' })
    // The notes in it go with it.
    await write(replica, `DELETE FROM folder WHERE id = 'f'`)
    const states = [await notesOf(replica)]
    for (let step = 0; step < 4; step++) {
      await replica.undo()
      states.push(await notesOf(replica))
    }
    expect(states.map((notes) => notes.map(({ title, count }) => `${title} ${count}`))).toEqual([
      ['edited 1', 'first 0'],
      ['edited 1', 'first 0', 'edited 0'],
      ['edited 0', 'first 0', 'edited 0'],
      ['first 0', 'first 0', 'new 0'],
      ['first 0', 'first 0'],
    ])
    expect(await replica.undo()).toBeNull()
    await statusThat(replica, ({ canUndo, canRedo }) => !canUndo && canRedo)
    for (const expected of states.slice(0, -1).reverse()) {
      await replica.redo()
      expect(await notesOf(replica)).toEqual(expected)
    }
    expect(await replica.redo()).toBeNull()
    await replica.undo()
    await write(replica, `UPDATE note SET title = 'another way' WHERE id = '2'`)
    expect(await replica.redo()).toBeNull()
    const origins = await replica.db.query('SELECT DISTINCT origin FROM tidemark.mutation ORDER BY 1')
    expect(origins.rows).toEqual([{ origin: 'app' }, { origin: 'redo' }, { origin: 'undo' }])
  })

  test('TAB-R21 undo and redo are one step: what is called after them comes after, though nothing is awaited', async () => {
    const { replica } = await openedFolders()
    replica.goOffline()
    const retitle = (to: string) => replica.db.query(`UPDATE note SET title = '${to}' WHERE id = '1'`)
    await retitle('kept')
    await retitle('taken back')
    const [undone, , again, , nothing] = await Promise.all([
      replica.undo(),
      retitle('later'),
      replica.undo(),
      replica.db.query(`UPDATE note SET slug = 's' WHERE id = '1'`),
      replica.redo(),
    ])
    // An edit since an undo leaves nothing to bring back.
    expect([undone, again, nothing].map((handle) => handle !== null)).toEqual([true, true, false])
    expect(await notesOf(replica)).toMatchObject([{ title: 'kept', slug: 's' }, { title: 'first' }])
    await Promise.all([replica.undo(), replica.undo(), replica.redo(), replica.redo()])
    expect(await notesOf(replica)).toMatchObject([{ title: 'kept', slug: 's' }, { title: 'first' }])

    // One whose commit fails is as if it had not been asked for.
    await replica.db.exec(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'It is not committed.'; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON tidemark.mutation DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse()`)
    await expect(replica.undo()).rejects.toThrow('It is not committed.')
    await replica.db.exec('DROP TRIGGER refuse ON tidemark.mutation')
    await Promise.all([replica.undo(), replica.undo()])
    expect(await notesOf(replica)).toMatchObject([{ title: 'first', slug: null }, { title: 'first' }])
  })

  test('FLD-243 OBX-R12 OBX-R13 a unique value that foreign keys may refer to is undone, redone and retried as one update', async () => {
    const { server, replica } = await openedFolders()
    const rejection = { kind: 'conflict', message: 'Somebody else changed it.' } as const
    server.answerPush = (push) => ({
      ...commitAll(push),
      outcomes: push.mutations.map(({ counter }) => ({ counter, status: 'rejected', rejection })),
    })
    await write(replica, `UPDATE note SET slug = 'refused' WHERE id = '2'`)
    await statusThat(replica, ({ failed }) => failed === 1)
    replica.goOffline()
    await replica.failures[0]?.retry()
    await write(replica, `UPDATE note SET slug = 'own' WHERE id = '1'`)
    const slugs = async () => (await notesOf(replica)).map(({ slug }) => slug)
    const seen = [await slugs()]
    for (const step of ['undo', 'undo', 'redo', 'redo'] as const) {
      expect(await replica[step]()).not.toBeNull()
      seen.push(await slugs())
    }
    expect(seen).toEqual([
      ['own', 'refused'],
      [null, 'refused'],
      [null, null],
      [null, 'refused'],
      ['own', 'refused'],
    ])
    const { rows } = await replica.db.query('SELECT DISTINCT op FROM tidemark.write')
    expect(rows).toEqual([{ op: 'update' }])
  })

  test('OBX-R13 where others have written since, undo says so and writes nothing; other columns do not matter', async () => {
    const { server, replica, session } = await openedFolders()
    server.answerPush = () => ({ outcomes: [], retry: { message: 'Later.', afterMs: 60_000 } })
    await write(replica, `UPDATE note SET title = 'mine' WHERE id = '1'`)
    const theirs = async (d: Record<string, string>) => {
      const before = server.head
      server.head = at(Number.parseInt(before, 16) + 0x10)
      const change = { o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d } as const
      session.send(batch(before, server.head, [{ lsn: server.head, xid: '77', changes: [change] }]))
      await replica.reached(server.head)
    }
    await theirs({ slug: 'theirs' })
    await replica.undo()
    expect(await notesOf(replica)).toMatchObject([{ title: 'first', slug: 'theirs' }, { title: 'first' }])
  })

  test('OBX-R13 a value that another wrote over an own confirmed one is not taken back', async () => {
    const { server, replica, session } = await openedFolders()
    const { confirmed } = await write(replica, `UPDATE note SET title = 'mine' WHERE id = '1'`)
    await server.push(0)
    const before = server.head
    server.head = at(Number.parseInt(before, 16) + 0x20)
    const change = { o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d: { title: 'theirs' } } as const
    session.send(
      batch(before, server.head, [
        {
          lsn: at(Number.parseInt(before, 16) + 0x10),
          xid: '76',
          changes: [
            { o: 'm', c: 1 },
            { o: 'p', p: 0 },
          ],
        },
        { lsn: server.head, xid: '77', changes: [change] },
      ]),
    )
    await confirmed
    expect(replica.status.canUndo).toBe(true)
    await expect(replica.undo()).rejects.toMatchObject({
      name: 'UndoRefused',
      table: 'public.note',
      key: { id: '1' },
      columns: ['title'],
    })
    expect(await notesOf(replica)).toMatchObject([{ title: 'theirs' }, { title: 'first' }])
  })
})
