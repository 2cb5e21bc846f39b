import { spawn } from 'node:child_process'
import { link, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { lockFile } from './lock-file.ts'

const HOLDER = fileURLToPath(new URL('../../testing/replica/lock-until-killed.ts', import.meta.url))

async function folderOf(length = 0): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const long = join(folder, 'x'.repeat(length))
  await mkdir(long, { recursive: true })
  return long
}

/** A process that holds a lock; answers how to end it. */
async function holder(path: string) {
  const child = spawn(process.execPath, [HOLDER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const kill = async (signal: 'SIGKILL' | 'SIGSTOP') => {
    child.kill(signal)
    if (signal === 'SIGKILL') await ended
  }
  onTestFinished(() => kill('SIGKILL'))
  for await (const _ of createInterface({ input: child.stdout })) break
  return kill
}

/** A socket that nobody listens on, as a killed process leaves it. */
async function leaveDead(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.once`, resolve))
  await link(`${path}.once`, path)
  await new Promise((resolve) => server.close(resolve))
}

describe('lockFile', () => {
  test.each([
    ['a short path', 0],
    ['a path longer than a socket’s may be', 150],
  ])(
    'FLD-89 JRN-R4 APP-R12 %s: held by one alone, also by one that is stopped, and free when that is killed',
    async (_, length) => {
      const path = join(await folderOf(length), 'replica.lock')
      const kill = await holder(path)
      await expect(lockFile(path)).rejects.toMatchObject({ kind: 'already-open' })
      await kill('SIGSTOP')
      await expect(lockFile(path)).rejects.toMatchObject({ kind: 'already-open' })
      await kill('SIGKILL')
      const release = await lockFile(path)
      await expect(lockFile(path)).rejects.toMatchObject({ kind: 'already-open' })
      await release()
      await (await lockFile(path))()
      expect(await readdir(join(path, '..'))).toEqual([])
    },
  )

  test.each([
    ['an empty one', ''],
    ['one with the number of this process, as after a container restarted', String(process.pid)],
    ['one with a number that nobody has', '999999999'],
    ['a garbled one', '\u0000\u0000'],
  ])(
    'FLD-89 JRN-R4 a lock file of an earlier version that a dead process left, %s, holds nobody up',
    async (_, content) => {
      const path = join(await folderOf(), 'replica.lock')
      await writeFile(path, content)
      await (await lockFile(path))()
    },
  )

  test('FLD-89 JRN-R4 a lock file of an earlier version that a live process wrote is heeded', async () => {
    const path = join(await folderOf(), 'replica.lock')
    await writeFile(path, String(process.ppid))
    await expect(lockFile(path)).rejects.toMatchObject({ kind: 'already-open' })
  })

  test('FLD-89 JRN-R4 of many that come upon a dead lock at once one has it', async () => {
    for (let round = 0; round < 50; round++) {
      const path = join(await folderOf(), 'replica.lock')
      await leaveDead(path)
      const found = await Promise.allSettled(Array.from({ length: 8 }, () => lockFile(path)))
      const held = found.filter((one) => one.status === 'fulfilled')
      expect(held).toHaveLength(1)
      for (const one of held) await one.value()
    }
  })

  test('FLD-89 JRN-R4 whoever is killed while it takes over a dead lock holds nobody up', async () => {
    const folder = await folderOf()
    const path = join(folder, 'replica.lock')
    await leaveDead(path)
    await leaveDead(`${path}~`)
    await (await lockFile(path))()
    expect(await readdir(folder)).toEqual([])
  })

  test('FLD-89 JRN-R4 a place where nothing can be made is told as that', async () => {
    const folder = await folderOf()
    await symlink(join(folder, 'nowhere', 'at-all'), join(folder, 'link'))
    await expect(lockFile(join(folder, 'link', 'replica.lock'))).rejects.toMatchObject({ kind: 'storage' })
  })
})
