import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CommittingServer } from '../../testing/kills/committing-server.ts'
import { REFUSED } from '../../testing/kills/write-on.ts'
import { seededRandom } from '../../testing/oracle/random.ts'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import type { ScriptedServer } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { folderSync, serveFolders } from '../../testing/writing/opened-folders.ts'
import type { LocalCore } from '../local-core.ts'
import { openLocalCore } from '../open-local-core.ts'
import { Leases } from './leases.ts'
import { type ServedCalls, serveCalls } from './serve-calls.ts'

const DETAILS = { wantsNotices: false }
const TAB = 'tab'
/** A call that is asked for the first time, and one that an earlier leader was asked for. */
const first = (call: string) => ({ by: { tab: TAB, call }, isAgain: false })
const again = (call: string) => ({ by: { tab: TAB, call }, isAgain: true })
const UNKNOWN = { kind: 'outcome-unknown' }

let folder: string
let server: ScriptedServer
let url: string
let core: LocalCore
let calls: ServedCalls

/** Opens the replica on its storage, as the first leader does and each that follows. */
async function lead(): Promise<void> {
  core = await openLocalCore(
    { url, user: 'ann', token: () => 'token', sync: folderSync, storage: join(folder, 'replica') },
    openPreparedDatabase,
    {},
  )
  await core.waitReady()
  await core.goOffline()
  const tab = {
    listen: async () => undefined,
    unlisten: async () => undefined,
    onSignedOut: () => undefined,
    onWished: () => undefined,
  }
  calls = serveCalls(core, new Leases(core), tab)
}

/** Lets another leader take over, which knows what the storage holds and no more. */
async function takeOver(): Promise<void> {
  await core.close()
  await lead()
}

closeAfterEach()
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-tabs-'))
  ;({ server, url } = await serveFolders())
  await lead()
  await core.db.exec(`
    CREATE TABLE public.scratch (what text);
    CREATE FUNCTION public.note_down() RETURNS int LANGUAGE sql AS $$ INSERT INTO public.scratch VALUES ('x') RETURNING 1 $$;
    CREATE FUNCTION public.count_up() RETURNS int LANGUAGE sql AS
      $$ UPDATE public.note SET count = count + 1 WHERE id = '1' RETURNING count $$`)
})
afterEach(async () => {
  await core.close()
  await rm(folder, { recursive: true, force: true })
})

const query = (asked: ReturnType<typeof first>, text: string, lease: string | null = null) =>
  calls.query(asked, text, [], DETAILS, lease)
const notesOf = (of: ScriptedServer) => of.snapshots.get('org:a')?.rows['public.note'] ?? []
const counted = async () => (await query(first('look'), `SELECT count FROM note WHERE id = '1'`)).rows[0]?.[0]
const noted = async () => (await query(first('look'), 'SELECT count(*) FROM scratch')).rows[0]?.[0]

test('TAB-02 TAB-R5 what only reads is read again; a function that writes is not run twice, whatever its query looks like', async () => {
  await query(first('own'), 'SELECT note_down()')
  await query(first('synced'), 'SELECT count_up()')
  await takeOver()
  expect((await query(again('read'), 'SELECT 1 AS one')).rows).toEqual([['1']])
  expect((await calls.exec(again('reads'), 'SELECT 1; TABLE scratch', DETAILS, null)).length).toBe(2)
  await expect(query(again('own'), 'SELECT note_down()')).rejects.toMatchObject(UNKNOWN)
  await expect(query(again('synced'), 'SELECT count_up()')).rejects.toMatchObject({
    ...UNKNOWN,
    message: expect.stringContaining('the rows that it answered are lost'),
  })
  // Nobody can say of this one that it was not done.
  await expect(query(again('never'), 'SELECT count_up()')).rejects.toMatchObject(UNKNOWN)
  await expect(query(again('wrong'), 'SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' })
  expect([await noted(), await counted()]).toEqual(['1', '1'])
})

test('HST-R10 TAB-R5 what a plan of the past writes is done once, whichever leader is asked', async () => {
  const from = { title: 'none' }
  const plan = {
    steps: [{ table: 'public.note', key: { id: '1' }, from, to: { title: 'as it was' }, columns: ['title'] }],
    references: [],
    gone: [],
  }
  const titles = async () => (await query(first('look'), `SELECT title FROM note WHERE id = '1'`)).rows[0]?.[0]
  // Another value stands there than the plan goes by.
  await expect(calls.carryOut(first('past'), plan)).rejects.toMatchObject({ name: 'HistoryRefused', reason: 'changed' })
  const made = await calls.carryOut(first('past'), {
    ...plan,
    steps: plan.steps.map((step) => ({ ...step, from: { title: 'first' } })),
  })
  expect(made).not.toBeNull()
  await takeOver()
  expect(await calls.carryOut(again('past'), plan)).toBe(made)
  expect(await titles()).toBe('as it was')
  expect(await calls.readMutations(first('log'), 10)).toHaveLength(1)
})

test('TAB-02 TAB-R5 a write with RETURNING is done once: answered where it was not done before, its rows lost where it was', async () => {
  const text = `UPDATE note SET count = count + 1 WHERE id = '1' RETURNING count`
  await query(first('done'), text)
  await takeOver()
  await expect(query(again('done'), text)).rejects.toMatchObject(UNKNOWN)
  expect((await query(again('undone'), text)).rows).toEqual([['2']])
  await calls.exec(
    first('both'),
    `UPDATE note SET slug = 's' WHERE id = '1'; DELETE FROM note WHERE id = '2'`,
    DETAILS,
    null,
  )
  await takeOver()
  const both = `UPDATE note SET slug = 's' WHERE id = '1'; DELETE FROM note WHERE id = '2'`
  expect(await calls.exec(again('both'), both, DETAILS, null)).toMatchObject([{ rows: [] }, { rows: [] }])
  expect(await counted()).toBe('2')
})

test('TAB-02 TAB-R5 TAB-R7 a transaction whose writes show in no mutation is committed once its tab knows that, and doubtful only then', async () => {
  await calls.beginLease(first('a'), 'a', true)
  await query(first('in a'), 'SELECT note_down()', 'a')
  expect(await calls.endLease(first('a'), 'a', 'commit')).toEqual({ mutation: null, isOpen: true })
  await takeOver()
  // Its tab had not said that it knows: so nothing was committed, and it is run again.
  await expect(calls.endLease(again('a'), 'a', 'commit')).rejects.toMatchObject({ kind: 'lease-ended' })
  expect(await noted()).toBe('0')
  await calls.beginLease(first('b'), 'b', false)
  await query(first('in b'), 'SELECT note_down()', 'b')
  await calls.endLease(first('b'), 'b', 'commit')
  expect(await calls.endLease(first('b'), 'b', 'commit-unseen')).toEqual({ mutation: null, isOpen: false })
  await takeOver()
  await expect(calls.endLease(again('b'), 'b', 'commit-unseen')).rejects.toMatchObject(UNKNOWN)
  expect(await noted()).toBe('1')
})

test('TAB-02 TAB-R5 a transaction that wrote what is synced, or only read, is never doubtful', async () => {
  await calls.beginLease(first('a'), 'a', true)
  await query(first('in a'), 'SELECT note_down(), count_up()', 'a')
  const { mutation, isOpen } = await calls.endLease(first('a'), 'a', 'commit')
  expect([typeof mutation, isOpen]).toEqual(['string', false])
  await calls.beginLease(first('b'), 'b', false)
  await query(first('in b'), 'SELECT * FROM scratch', 'b')
  expect(await calls.endLease(first('b'), 'b', 'commit')).toEqual({ mutation: null, isOpen: false })
  await takeOver()
  expect(await calls.endLease(again('a'), 'a', 'commit')).toEqual({ mutation, isOpen: false })
  await expect(calls.endLease(again('b'), 'b', 'commit')).rejects.toMatchObject({ kind: 'lease-ended' })
  expect(await calls.endLease(again('c'), 'c', 'rollback')).toEqual({ mutation: null, isOpen: false })
  expect([await noted(), await counted()]).toEqual(['1', '1'])
})

test('TAB-02 TAB-R10 a tab can take back what a leader did for it and had not told it of when it went', async () => {
  await core.writing.openTab(TAB, null)
  await calls.runAction(first('edit'), 'addOne', { id: '1' })
  await takeOver()
  // The tab was told nothing of a history.
  await core.writing.openTab(TAB, null)
  const saved = core.writing.history.savedOf(TAB)
  expect(saved.done).toHaveLength(1)
  const undone = await calls.undo(first('undo'))
  expect(await counted()).toBe('0')
  await takeOver()
  await core.writing.openTab(TAB, saved)
  expect(await calls.undo(again('undo'))).toBe(undone)
  expect(await calls.undo(first('another undo'))).toBeNull()
  expect(await counted()).toBe('0')
  expect(await calls.redo(first('redo'))).not.toBeNull()
  expect(await counted()).toBe('1')
  const { canUndo, canRedo } = core.writing.history.stateOf(TAB)
  expect([canUndo, canRedo]).toEqual([true, false])
})

test('TAB-02 TAB-R5 what a tab asks first is done first, also where it was asked of an earlier leader', async () => {
  const title = (text: string) => `UPDATE note SET title = '${text}' WHERE id = '1'`
  await takeOver()
  await Promise.all([query(again('a'), title('first asked')), query(first('b'), title('asked later'))])
  expect((await query(first('look'), `SELECT title FROM note WHERE id = '1'`)).rows).toEqual([['asked later']])
})

test('TAB-02 TAB-R10 a tab can take back what was confirmed before it greets the next leader, and not what failed meanwhile', async () => {
  const committing = new CommittingServer(server, seededRandom('edits'), notesOf(server))
  const writeTitle = (title: string, id: string) =>
    query(first(title), `UPDATE note SET title = '${title}' WHERE id = '${id}'`)
  await core.writing.openTab(TAB, null)
  await writeTitle('one', '1')
  await writeTitle('two', '1')
  await writeTitle(`${REFUSED} three`, '2')
  await takeOver()
  await core.goOnline(undefined)
  await core.settled()
  expect([committing.notes.get('1')?.title, core.failures.length]).toEqual(['two', 1])
  await core.writing.openTab(TAB, null)
  expect(core.writing.history.savedOf(TAB).done).toHaveLength(2)
  const title = async () => (await query(first('look'), `SELECT title FROM note WHERE id = '1'`)).rows[0]?.[0]
  await calls.undo(first('undo'))
  expect(await title()).toBe('one')
  await calls.undo(first('undo again'))
  expect(await title()).toBe('first')
})

test('TAB-R4 TAB-R7 the types of a statement are told within the transaction that is open, which values need that a tab writes itself', async () => {
  await calls.beginLease(first('a'), 'a', true)
  await query(first('own'), 'CREATE TABLE own_table (id int8)', 'a')
  const { params, fields } = await calls.describe(first('types'), 'SELECT id FROM own_table WHERE id = $1', 'a')
  expect([params, fields]).toEqual([[20], [{ name: 'id', dataTypeID: 20 }]])
  await expect(calls.describe(first('wrong'), 'SELECT FROM nowhere', 'a')).rejects.toMatchObject({ code: '42P01' })
  await calls.endLease(first('a'), 'a', 'rollback')
  await expect(calls.describe(first('gone'), 'SELECT 1', 'a')).rejects.toMatchObject({ kind: 'lease-ended' })
  expect((await calls.describe(first('alone'), 'SELECT count FROM note WHERE id = $1', null)).params).toEqual([25])
})
