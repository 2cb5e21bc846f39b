import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import type { PushedMutation, TidemarkError } from '../../protocol/index.ts'
import { at, commitAll } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, start } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { until } from '../../testing/system/until.ts'
import {
  commit,
  type FolderReplica,
  folderSync,
  live,
  notesOf,
  serveFolders,
} from '../../testing/writing/opened-folders.ts'

import type { ReplicaOptions } from '../replica-api.ts'
import type { JournalFiles } from '../store/journal-files.ts'
import { Journal } from './journal.ts'
import { decodeFrames, encodeFrames } from './rules/frames.ts'

closeAfterEach()

const SCRIPT = fileURLToPath(new URL('../../testing/writing/write-until-killed.ts', import.meta.url))
const NOWHERE = 'http://127.0.0.1:9'

/** A storage of its own: the option that names it, where its database lies, and the journal's files that hold anything. */
async function newStorage() {
  const parent = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  const entries = async () => readdir(parent, { withFileTypes: true })
  const folder = async () => join(parent, (await entries()).find((one) => one.isDirectory())?.name ?? '')
  const journals = async () =>
    (await entries()).flatMap(({ name }) => (/\.journal-[01]$/.test(name) ? [join(parent, name)] : [])).sort()
  const lose = async () => {
    for (const one of await entries()) if (one.isDirectory()) await rm(join(parent, one.name), { recursive: true })
  }
  return { parent, storage: join(parent, 'replica'), folder, journals, lose }
}

const open = (
  url: string,
  storage: string,
  options: Partial<ReplicaOptions<typeof folderSync>> = {},
): Promise<FolderReplica> => start(url, { sync: folderSync, storage, ...options })

const idsOf = async (replica: FolderReplica) => (await replica.mutations()).map(({ id }) => id).reverse()
const numberOf = (id: string) => Number(id.slice(id.lastIndexOf(':') + 1))
const sentBy = (push: string) => JSON.parse(push).mutations as PushedMutation[]

test('FLD-110 JRN-R6 JRN-R9 unsent work comes back under its own names from beside a database that is gone, and is sent once', async () => {
  const { server, url } = await serveFolders()
  const { storage, lose } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  await replica.actions.addOne({ id: '1' })
  await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '2'`)
  await replica.db.exec(`INSERT INTO note (id, org, title, count) VALUES ('9', 'a', 'new', 0)`)
  const ids = await idsOf(replica)
  await replica.close()
  await lose()
  const again = await open(url, storage)
  expect(again.status).toMatchObject({ pending: 3, unprotected: null })
  expect(await idsOf(again)).toEqual(ids)
  await live(again)
  expect(await notesOf(again)).toMatchObject([{ count: '1' }, { title: 'mine' }, { id: '9', title: 'new' }])
  await server.push(0)
  expect(server.pushes.flatMap(sentBy).map(({ counter }) => counter)).toEqual([1, 2, 3])
})

test('FLD-126 JRN-R10 without a journal that is there and cannot be read no database is begun, however often it is tried', async () => {
  const { storage, journals, lose } = await newStorage()
  const { url } = await serveFolders()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '2'`)
  const ids = await idsOf(replica)
  await replica.close()
  await lose()
  const files = await journals()
  // A folder in a file's place looks like a fault of the device.
  for (const file of files) {
    await rename(file, `${file}.kept`)
    await mkdir(file)
  }
  for (let tries = 0; tries < 2; tries++)
    await expect(open(url, storage)).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringContaining('no new database is begun without it'),
    })
  for (const file of files) {
    await rm(file, { recursive: true })
    await rename(`${file}.kept`, file)
  }
  const again = await open(url, storage)
  expect(await idsOf(again)).toEqual(ids)
  expect(again.status).toMatchObject({ pending: 1, unprotected: null })
})

test('FLD-111 JRN-R7 what left is sent again in its old text, with what it took in, or settled by what the server says', async () => {
  const { server, url } = await serveFolders()
  const { storage, lose } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  server.answerPush = () => null
  for (const title of ['a', 'b', 'c']) await replica.db.query(`UPDATE note SET title = $1 WHERE id = '1'`, [title])
  await replica.actions.addOne({ id: '2' })
  replica.goOnline()
  const [text, call] = (await server.push(0)).mutations
  expect(text).toMatchObject({ counter: 1, rows: [{ d: { title: 'c' } }] })
  await replica.close()
  await lose()
  server.answerOutcomes = ({ counters }) => {
    expect(counters).toEqual([1, 4])
    return { epoch: server.epoch, outcomes: [{ outcome: { counter: 4, status: 'committed' }, lsn: at(0x90) }] }
  }
  const before = server.pushes.length
  const again = await open(url, storage)
  expect(again.status.pending).toBe(2)
  await live(again)
  expect((await server.push(before)).mutations).toEqual([text])
  expect(call).toMatchObject({ counter: 4 })
  expect(await again.mutation(`${(await idsOf(again))[0]}`)).toMatchObject({ kind: 'patch' })
  expect(await notesOf(again)).toMatchObject([{ title: 'c' }, { count: '0' }])
})

test('FLD-112 JRN-R8 failed work comes back with its reason; what was discarded, made anew or confirmed does not', async () => {
  const { server, url } = await serveFolders()
  const { storage, lose } = await newStorage()
  server.answerPush = ({ mutations }) => ({
    outcomes: mutations.map(({ counter }) => ({
      counter,
      status: 'rejected',
      rejection: { kind: 'refused', message: 'Not today.' },
    })),
    retry: null,
  })
  const replica = await open(url, storage)
  await live(replica)
  for (const title of ['kept', 'dropped', 'anew'])
    await expect(
      (await replica.transaction((tx) => tx.query(`UPDATE note SET title = $1 WHERE id = '1'`, [title]))).confirmed,
    ).rejects.toThrow('Not today.')
  await statusThat(replica, ({ failed }) => failed === 3)
  replica.goOffline()
  await replica.failures[1]?.discard()
  await replica.failures.find(({ rows }) => rows[0]?.local?.title === 'anew')?.retry()
  await replica.close()
  await lose()
  server.answerPush = commitAll
  const again = await open(url, storage)
  expect(again.status).toMatchObject({ failed: 1, pending: 1 })
  await live(again)
  expect(again.failures).toMatchObject([{ rejection: { message: 'Not today.' }, rows: [{ local: { title: 'kept' } }] }])
  await server.push(3)
  const [sent] = server.pushes.flatMap(sentBy).slice(-1)
  commit(server, await server.session(1), sent as PushedMutation)
  await statusThat(again, ({ pending }) => pending === 0)
  expect(await notesOf(again)).toMatchObject([{ title: 'anew' }, {}])
  await again.close()
  await lose()
  const third = await open(url, storage)
  expect(third.status).toMatchObject({ failed: 1, pending: 0 })
})

test('FLD-113 JRN-R9 a database that is set back learns what it never knew, and shows it at once', async () => {
  const { url } = await serveFolders()
  const { parent, storage, folder } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  await replica.actions.addOne({ id: '1' })
  await replica.close()
  const kept = join(parent, 'kept')
  await cp(await folder(), kept, { recursive: true })
  const later = await open(NOWHERE, storage)
  await later.actions.addOne({ id: '1' })
  await later.db.exec(`UPDATE note SET title = 'later' WHERE id = '2'`)
  const ids = await idsOf(later)
  await later.close()
  const place = await folder().then((path) => (path === kept ? '' : path))
  const own = place || join(parent, (await readdir(parent)).find((name) => /^replica-[^.]*$/.test(name)) ?? '')
  await rm(own, { recursive: true })
  await rename(kept, own)
  const again = await open(NOWHERE, storage)
  expect(again.status.pending).toBe(3)
  expect(await idsOf(again)).toEqual(ids)
  expect(await notesOf(again)).toMatchObject([{ count: '2' }, { title: 'later' }])
  const { id } = await again.actions.addOne({ id: '1' })
  expect(numberOf(id)).toBe(4)
})

test('FLD-114 JRN-R10 a torn journal is told of; what it tells comes back, and no number is given twice', async () => {
  const { url } = await serveFolders()
  const { storage, journals, lose } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  for (let count = 0; count < 3; count++) await replica.actions.addOne({ id: '1' })
  await replica.close()
  await lose()
  const [file = ''] = await journals()
  const bytes = await readFile(file)
  await writeFile(file, bytes.subarray(0, bytes.length - 5))
  const told: TidemarkError[] = []
  const again = await open(url, storage, { onWarning: (warning) => told.push(warning) })
  expect(told).toMatchObject([{ kind: 'storage', message: expect.stringContaining('torn') }])
  expect((await idsOf(again)).map(numberOf)).toEqual([1, 2])
  await live(again)
  const { id } = await again.actions.addOne({ id: '1' })
  expect(numberOf(id)).toBeGreaterThan(2 ** 32)
  expect((await notesOf(again))[0]).toMatchObject({ count: '3' })
})

test('FLD-115 JRN-R11 after a sign-out nothing comes back, however early it was cut, and nothing is left lying', async () => {
  const { url } = await serveFolders()
  const { parent, storage, journals } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  await replica.actions.addOne({ id: '1' })
  await replica.close()
  const [file = ''] = await journals()
  await appendFile(file, encodeFrames([JSON.stringify({ t: 'left' })]))
  const again = await open(NOWHERE, storage)
  expect(again.status).toMatchObject({ pending: 0, ready: false })
  expect((await again.db.query('SELECT FROM pg_tables WHERE tablename = $1', ['note'])).rows).toEqual([])
  await again.signOut({ dropUnsent: true })
  expect(await readdir(parent)).toEqual([])
})

test('FLD-116 JRN-R12 a write stands where its record cannot be written: the status says so, and the journal is made anew', async () => {
  const { url } = await serveFolders()
  const { storage, lose } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  const files = process.getBuiltinModule('node:fs')
  const { writeSync } = files
  // The database names length and place of what it writes, the journal does not.
  files.writeSync = ((file: number, bytes: Uint8Array, at: number, ...rest: [number, number]) => {
    if (rest.length > 0) return writeSync(file, bytes, at, ...rest)
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }) as typeof writeSync
  onTestFinished(() => {
    files.writeSync = writeSync
  })
  await replica.actions.addOne({ id: '1' })
  await statusThat(replica, ({ unprotected }) => unprotected !== null)
  expect(replica.status.unprotected).toContain('ENOSPC')
  await replica.actions.addOne({ id: '1' })
  files.writeSync = writeSync
  await statusThat(replica, ({ unprotected }) => unprotected === null)
  await replica.close()
  await lose()
  const again = await open(url, storage)
  expect((await idsOf(again)).map(numberOf)).toEqual([1, 2])
})

test('FLD-117 JRN-R6 whatever a killed process had said is in its journal', async () => {
  const { server, url } = await serveFolders()
  const { storage, lose } = await newStorage()
  server.answerPush = () => null
  const said: string[] = []
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [SCRIPT, url, storage], { stdio: ['ignore', 'pipe', 'inherit'] })
    await killAfter(child, said, said.length + 3 + round)
    await lose()
  }
  const again = await open(NOWHERE, storage)
  const known = await idsOf(again)
  expect(said.filter((id) => !(known as string[]).includes(id))).toEqual([])
  expect(new Set(said.map(numberOf)).size).toBe(said.length)
})

/** Kills a writing process once it has reported this many of its mutations. */
async function killAfter(child: ChildProcess, said: string[], count: number): Promise<void> {
  if (!child.stdout) throw new Error('The process says nothing.')
  const ended = new Promise((resolve) => child.on('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    if (said.length >= count) break
  }
  child.kill('SIGKILL')
  await ended
}

/** A journal whose files are given, of a replica that is offline. */
async function journalOn(files: Partial<JournalFiles>): Promise<{ journal: Journal; replica: FolderReplica }> {
  const { url } = await serveFolders()
  const replica = await open(url, 'memory://')
  await live(replica)
  replica.goOffline()
  const nothing = async () => undefined
  const journal = new Journal({
    files: {
      read: async () => new Uint8Array(),
      append: nothing,
      replace: nothing,
      remove: nothing,
      close: nothing,
      ...files,
    },
    db: replica.db,
    user: 'ann',
    client: 'client',
    slot: 0,
    generation: 0,
    onFault: () => undefined,
    nowMs: Date.now,
  })
  await journal.startRecording()
  return { journal, replica }
}

test('JRN-R6 a write waits for its record also where something else has begun to write it', async () => {
  const writing = Promise.withResolvers<void>()
  const begun: string[] = []
  const { journal, replica } = await journalOn({
    append: async () => {
      begun.push('append')
      await writing.promise
    },
  })
  await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
  const done: string[] = []
  const look = journal.recordAll().then(() => done.push('look'))
  await until(() => begun.length > 0)
  const answer = journal.recordUrgent().then(() => done.push('answer'))
  const another = journal.recordAll().then(() => done.push('another look'))
  // One turn, in which an answer that waits for nothing would have been given.
  await new Promise((resolve) => setTimeout(resolve))
  expect(done).toEqual([])
  writing.resolve()
  await Promise.all([look, answer, another])
  expect(begun).toEqual(['append'])
})

test('JRN-R6 a write waits for its record also where a push begins the file anew with it', async () => {
  const [appending, replacing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const begun: string[] = []
  let isStarted = false
  const { journal, replica } = await journalOn({
    append: async () => {
      begun.push('append')
      await appending.promise
    },
    replace: async () => {
      if (!isStarted) return
      begun.push('replace')
      await replacing.promise
    },
  })
  isStarted = true
  const large = { t: 'frozen' as const, counter: 1, request: 'x'.repeat(1_100_000), predicted: null, took: [] }
  const freezing = journal.runFreezing(async () => ({ frozen: [large] }))
  await until(() => begun.length > 0)
  await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
  appending.resolve()
  await until(() => begun.includes('replace'))
  const done: string[] = []
  const answer = journal.recordUrgent().then(() => done.push('answer'))
  // One turn, in which an answer that waits for nothing would have been given.
  await new Promise((resolve) => setTimeout(resolve))
  expect(done).toEqual([])
  replacing.resolve()
  await Promise.all([freezing, answer])
})

test('FLD-118 JRN-R12 a journal that grew is begun anew, sealed before the last one goes, and tells the same', async () => {
  const { url } = await serveFolders()
  const { storage, journals, lose } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  const [first] = await journals()
  const long = 'x'.repeat(60_000)
  for (let count = 0; count < 24; count++)
    await replica.transaction((tx) => tx.query(`UPDATE note SET title = $1 WHERE id = '1'`, [`${count}${long}`]))
  const after = await journals()
  expect(after).toHaveLength(1)
  expect(after).not.toEqual([first])
  await replica.close()
  await lose()
  const again = await open(url, storage)
  expect((await idsOf(again)).map(numberOf)).toEqual(Array.from({ length: 24 }, (_, index) => index + 1))
  await live(again)
  expect((await notesOf(again))[0]?.title?.slice(0, 2)).toBe('23')
})

test('FLD-123 JRN-R9 a database that is set back learns what left, was confirmed and was decided on', async () => {
  const { url } = await serveFolders()
  const { storage, journals } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  for (const id of ['1', '2', '1']) await replica.actions.addOne({ id })
  await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '2'`)
  await replica.close()
  const [file = ''] = await journals()
  const at = '2026-11-29T00:00:00.000Z'
  const request = JSON.stringify({
    counter: 2,
    at,
    after: [],
    kind: 'action',
    name: 'addOne',
    args: { id: '2' },
    predicted: null,
  })
  const told = [
    { t: 'ended', counter: 1, how: 'gone' },
    { t: 'frozen', counter: 2, request, predicted: null, took: [] },
    { t: 'ended', counter: 3, how: 'confirmed' },
    { t: 'failed', counter: 4, rejection: { kind: 'refused', message: 'Not today.' } },
  ]
  await appendFile(file, encodeFrames(told.map((record) => JSON.stringify(record))))
  const again = await open(NOWHERE, storage)
  await statusThat(again, ({ pending, failed }) => pending === 2 && failed === 1)
  expect((await again.mutations()).map(({ id, status }) => [numberOf(id), status])).toEqual([
    [4, 'failed'],
    [3, 'sent'],
    [2, 'sent'],
  ])
  expect(again.failures).toMatchObject([{ rejection: { message: 'Not today.' }, rows: [{ local: { title: 'mine' } }] }])
  expect(await notesOf(again)).toMatchObject([{ count: '1' }, { title: 'first', count: '1' }])
  const { rows } = await again.db.query(
    'SELECT counter::int AS counter, request, outcome IS NULL AS open FROM tidemark.mutation WHERE counter < 4 ORDER BY 1',
  )
  expect(rows).toEqual([
    { counter: 2, request, open: true },
    { counter: 3, request: null, open: false },
  ])
})

test('FLD-124 JRN-R9 what is read back under another client id waits as failed, under new numbers, with its data', async () => {
  const { url } = await serveFolders()
  const { storage, journals } = await newStorage()
  const replica = await open(url, storage)
  await live(replica)
  replica.goOffline()
  await replica.actions.addOne({ id: '1' })
  await replica.close()
  const [file = ''] = await journals()
  const { texts } = decodeFrames(await readFile(file))
  await writeFile(
    file,
    encodeFrames(texts.map((text) => text.replace(/"client":"[^"]*"/, '"client":"another-client-0001"'))),
  )
  const again = await open(NOWHERE, storage)
  expect(again.status).toMatchObject({ pending: 1, failed: 1 })
  expect((await idsOf(again)).map(numberOf)).toEqual([1, 2])
  expect(again.failures).toMatchObject([
    { action: { name: 'addOne', args: { id: '1' } }, rejection: { kind: 'outcome-unknown' } },
  ])
})
