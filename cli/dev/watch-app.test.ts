import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { watchApp } from './watch-app.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

function watched(...files: string[]) {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-watch-'))
  const save = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `-- ${path}`)
  }
  for (const path of files) save(path)
  const onSave = vi.fn()
  const watch = watchApp(root, join(root, 'data'), onSave)
  ends.push(() => {
    watch.close()
    rmSync(root, { recursive: true, force: true })
  })
  const seen = async (path: string) => {
    onSave.mockClear()
    save(path)
    await expect.poll(() => onSave.mock.calls.length).toBeGreaterThan(0)
  }
  return { save, seen, onSave }
}

test('CLI-R16 a save is seen anywhere in the app, also in a folder made since', async () => {
  const { seen } = watched('sync.ts')
  for (const path of ['sync.ts', 'migrations/0001_a.sql', 'migrations/0002_b.sql']) await seen(path)
})

test('CLI-R16 packages, hidden folders, the data folder and files of no code are no saves', async () => {
  const others = ['node_modules/a/index.js', '.tidemark/worker.js', 'data/kept.json', 'notes.log']
  const { save, onSave } = watched(...others)
  const marker = watched('sync.ts')
  for (const path of others) save(path)
  // A save that those files set off would be reported before this one, which comes later.
  await marker.seen('sync.ts')
  expect(onSave).not.toHaveBeenCalled()
})
