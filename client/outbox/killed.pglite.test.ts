import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { commitAll } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, start } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import {
  commit,
  type FolderReplica,
  folderSync,
  live,
  notesOf,
  serveFolders,
} from '../../testing/writing/opened-folders.ts'

closeAfterEach()

const SCRIPT = fileURLToPath(new URL('../../testing/writing/write-until-killed.ts', import.meta.url))

/** Kills a writing process once it has reported this many mutations, or while the server is answering. */
async function writeUntil(child: ChildProcess, written: string[], moment: (count: number) => boolean): Promise<void> {
  if (!child.stdout) throw new Error('The process says nothing.')
  const ended = new Promise((resolve) => child.on('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    written.push(line)
    if (moment(written.length)) break
  }
  child.kill('SIGKILL')
  await ended
}

test('OUT-04 OBX-R4 a replica killed before, while and after sending loses nothing that was durable, and sends the same again', async () => {
  const { server, url } = await serveFolders()
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const storage = join(folder, 'replica')
  const written: string[] = []
  // Answered, not answered, answered in part: in turns.
  let calls = 0
  server.answerPush = (push) => {
    calls += 1
    const whole = commitAll(push)
    if (calls % 3 === 1) return whole
    if (calls % 3 === 2) return null
    return { outcomes: whole.outcomes.slice(0, 1), retry: { message: 'Later.', afterMs: 0 } }
  }
  for (let round = 0; round < 3; round++) {
    const before = written.length
    const pushes = server.pushes.length
    const child = spawn(process.execPath, [SCRIPT, url, storage], { stdio: ['ignore', 'pipe', 'inherit'] })
    await writeUntil(child, written, (count) => count - before >= 3 && server.pushes.length > pushes + round)
  }
  server.answerPush = commitAll
  const replica: FolderReplica = await start(url, { sync: folderSync, storage })
  await live(replica)
  const texts = new Map<number, Set<string>>()
  const all = () => server.pushes.flatMap((text) => JSON.parse(text).mutations as { counter: number }[])
  // The last of them may have been durable and not reported.
  const { rows } = await replica.db.query<{ counter: number }>('SELECT counter FROM tidemark.owner')
  const last = Number(rows[0]?.counter)
  while (!all().some(({ counter }) => counter === last)) await server.push(server.pushes.length)
  for (const mutation of all()) {
    const { counter } = mutation
    texts.set(counter, (texts.get(counter) ?? new Set()).add(JSON.stringify(mutation)))
  }
  const counters = [...texts.keys()].sort((a, b) => a - b)
  expect(counters).toEqual(Array.from({ length: last }, (_, index) => index + 1))
  expect([...texts.values()].filter(({ size }) => size > 1)).toEqual([])
  const mutations = counters.map((counter) => JSON.parse([...(texts.get(counter) ?? [])][0] ?? ''))
  commit(server, server.sessions.at(-1) ?? (await server.session(0)), ...mutations)
  await statusThat(replica, ({ pending, failed }) => pending === 0 && failed === 0)
  expect((await notesOf(replica))[0]?.count).toBe(String(counters.length))
  const said = written.map((id) => Number(id.slice(id.lastIndexOf(':') + 1)))
  expect(said.filter((counter) => !texts.has(counter))).toEqual([])
  expect(said.length).toBeGreaterThanOrEqual(9)
})
