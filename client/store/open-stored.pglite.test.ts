import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { startReplica } from '../../testing/replica/start-replica.ts'
import { until } from '../../testing/system/until.ts'
import { type FolderReplica, folderSync, live, serveFolders } from '../../testing/writing/opened-folders.ts'
import { openReplicaOn } from '../open-replica.ts'
import type { OpenDatabase } from './open-database.ts'

const OPEN_ONCE = fileURLToPath(new URL('../../testing/writing/open-once.ts', import.meta.url))
const NOWHERE = 'http://127.0.0.1:9'
const DAY = 86_400_000

let parent = ''
let served: Awaited<ReturnType<typeof serveFolders>>

/** A replica that wrote twice while it was offline, and has a table of the app's own. */
beforeAll(async () => {
  served = await serveFolders()
  parent = await mkdtemp(join(tmpdir(), 'tidemark-'))
  const replica: FolderReplica = await startReplica(served.url, { sync: folderSync, storage: join(parent, 'replica') })
  await live(replica)
  replica.goOffline()
  await replica.actions.addOne({ id: '1' })
  await replica.db.exec(`INSERT INTO note (id, org, title, count) VALUES ('9', 'a', 'mine', 0)`)
  await replica.db.exec(`CREATE TABLE draft (text text); INSERT INTO draft VALUES ('kept')`)
  await replica.close()
})

afterAll(async () => {
  await rm(parent, { recursive: true, force: true })
  await served.server.close()
})

/** A copy of that replica: the storage to open, and its folder. */
async function unsentFolder() {
  const own = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(own, { recursive: true, force: true }))
  await cp(parent, own, { recursive: true })
  const [folder = ''] = await readdir(own)
  return { storage: join(own, 'replica'), folder: join(own, folder) }
}

async function started(url: string, storage: string): Promise<FolderReplica> {
  const replica: FolderReplica = await startReplica(url, { sync: folderSync, storage })
  onTestFinished(() => replica.close())
  return replica
}

/** A digest of every file. */
async function digest(folder: string): Promise<Record<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())
  const digests = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name)
    return [
      path,
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    ]
  })
  return Object.fromEntries(await Promise.all(digests))
}

async function expectUnsent(storage: string): Promise<void> {
  const replica = await started(NOWHERE, storage)
  expect(replica.status).toMatchObject({ pending: 2, rebuilt: null })
  expect((await replica.db.query('SELECT text FROM draft')).rows).toEqual([{ text: 'kept' }])
  await replica.close()
}

async function garble(path: string): Promise<void> {
  await writeFile(path, (await readFile(path)).fill(0x5a))
}

const openWith = (storage: string, open: OpenDatabase) =>
  openReplicaOn({ url: NOWHERE, user: 'ann', token: () => 'token', sync: folderSync, storage }, open)

test('FLD-87 JRN-R1 an opening that fails is told as what it is, nothing on disk changes, and the next one has everything', async () => {
  const { storage, folder } = await unsentFolder()
  const before = await digest(folder)
  const faults = [
    new TypeError('Failed to fetch'),
    new TypeError('Failed to fetch dynamically imported module: https://app.example/pglite-1a2b.js'),
    new WebAssembly.RuntimeError('unreachable'),
    new WebAssembly.CompileError('expected magic word 00 61 73 6d'),
    Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }),
    new Error('Aborted(). Build with -sASSERTIONS for more info.'),
  ]
  for (const fault of faults) {
    await expect(openWith(storage, () => Promise.reject(fault))).rejects.toMatchObject({
      kind: 'storage',
      message: expect.stringContaining(fault.message),
    })
    expect(await digest(folder)).toEqual(before)
  }
  await expectUnsent(storage)
})

test('FLD-87 JRN-R1 too little memory, before anything starts or when Postgres asks for it, is told as that and costs nothing', async () => {
  const { storage } = await unsentFolder()
  // PGlite takes 2,048 of the 2,200 pages for itself; buffers of PGlite's own size do not go into the rest.
  for (const [pages, ...buffers] of [[600], [2200, '128MB']] as const) {
    const given = [`--wasm-max-mem-pages=${pages}`, OPEN_ONCE, NOWHERE, storage, ...buffers]
    const said = execFileSync(process.execPath, given, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    expect(said).toMatch(/^fault storage This device has too little memory/)
  }
  await expectUnsent(storage)
})

test('FLD-155 JRN-R16 without a storage of its own a process has a folder, named by deployment and user', async () => {
  const { storage } = await unsentFolder()
  const own = dirname(storage)
  const folder = join(own, '.tidemark', 'replicas')
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(own))
    if (name !== '.tidemark') await rename(join(own, name), join(folder, name.replace(/^replica/, '127.0.0.1-9')))
  const said = execFileSync(process.execPath, [OPEN_ONCE, NOWHERE], { cwd: own, encoding: 'utf8' })
  expect(said).toBe('pending 2\n')
  expect(await readdir(own)).toEqual(['.tidemark'])
})

test('FLD-87 JRN-R1 a fault after the database has started is told too, and costs nothing', async () => {
  const { storage } = await unsentFolder()
  const failing: OpenDatabase = async (place) => {
    const db = await openPreparedDatabase(place)
    db.transaction = () => Promise.reject(new Error('No more file handles available in the pool'))
    return db
  }
  await expect(openWith(storage, failing)).rejects.toMatchObject({ kind: 'storage' })
  await expectUnsent(storage)
})

test.each([
  ['a control file that is garbled', (folder: string) => garble(join(folder, 'global', 'pg_control'))],
  ['a log that is gone', (folder: string) => rm(join(folder, 'pg_wal'), { recursive: true })],
  ['files of an older Postgres', (folder: string) => writeFile(join(folder, 'PG_VERSION'), '15\n')],
])('FLD-88 JRN-R2 %s: the database is put aside whole, it is said where, and all is loaded anew', async (_, damage) => {
  const { storage, folder } = await unsentFolder()
  await damage(folder)
  const before = await digest(folder)
  const replica = await started(served.url, storage)
  expect(replica.status.rebuilt).toContain(`put aside as ${folder}`)
  await live(replica)
  // They come from the journal, which lies beside.
  expect(replica.status.pending).toBe(2)
  expect((await replica.db.query(`SELECT count FROM note WHERE id = '1'`)).rows).toEqual([{ count: 1 }])
  const after = await digest(folder)
  expect(Object.entries(before).filter(([path, content]) => after[path] !== content)).toEqual([])
  await replica.signOut({ dropUnsent: true })
  expect(existsSync(folder)).toBe(false)
})

test('FLD-121 JRN-R2 what was put aside goes with the first audience that is taken from its user', async () => {
  const { server, url } = await serveFolders()
  onTestFinished(() => server.close())
  const { storage, folder } = await unsentFolder()
  await garble(join(folder, 'global', 'pg_control'))
  const replica = await started(url, storage)
  await live(replica)
  expect(existsSync(folder)).toBe(true)
  const session = await server.session(0)
  session.send({ type: 'audiences', audiences: [] })
  await until(() => !existsSync(folder))
  expect((await replica.db.query('SELECT FROM note')).rows).toEqual([])
})

test('FLD-93 JRN-R2 a version file that is gone, empty or garbled is put back, and everything is there', async () => {
  const { storage, folder } = await unsentFolder()
  const file = join(folder, 'PG_VERSION')
  await rm(file)
  await expectUnsent(storage)
  for (const content of ['', '\u0000']) {
    await writeFile(file, content)
    await expectUnsent(storage)
  }
})

test('FLD-91 JRN-R3 files of a newer Postgres are left alone, and the app is told to update', async () => {
  const { storage, folder } = await unsentFolder()
  await writeFile(join(folder, 'PG_VERSION'), '19\n')
  const before = await digest(folder)
  await expect(startReplica(NOWHERE, { storage })).rejects.toMatchObject({ kind: 'upgrade-required' })
  expect(await digest(folder)).toEqual(before)
})

test('FLD-91 JRN-R3 a replica of a newer format is left alone too', async () => {
  const { storage } = await unsentFolder()
  const replica = await started(NOWHERE, storage)
  await replica.db.exec('UPDATE tidemark.owner SET format = format + 1000')
  await replica.close()
  await expect(startReplica(NOWHERE, { storage })).rejects.toMatchObject({ kind: 'upgrade-required' })
  const open: OpenDatabase = async (place) => {
    const db = await openPreparedDatabase(place)
    await db.exec('UPDATE tidemark.owner SET format = format - 1000')
    return db
  }
  const again = await openWith(storage, open)
  expect(again.status).toMatchObject({ pending: 2, rebuilt: null })
  await again.close()
})

test('FLD-88 JRN-R2 what was put aside goes after its 30 days, and not before', async () => {
  const { storage, folder } = await unsentFolder()
  const young = `${folder}.${Date.now() - 29 * DAY}`
  await cp(folder, young, { recursive: true })
  await expectUnsent(storage)
  expect(existsSync(folder)).toBe(true)
  await rename(young, `${folder}.${Date.now() - 31 * DAY}`)
  await expectUnsent(storage)
  expect(existsSync(folder)).toBe(false)
})
