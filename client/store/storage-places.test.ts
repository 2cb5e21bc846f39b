import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findPlaces } from './storage-places.ts'

const FOLDERS = 50
const LOOKS = 50

test('JRN-R1 what others make and remove beside a storage is no matter of its own', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  const name = join(parent, 'notes')
  await mkdir(join(name, 'base'), { recursive: true })

  let looking = true
  const others = Array.from({ length: FOLDERS }, async (_, other) => {
    const folder = join(parent, `other-${other}`)
    while (looking) {
      await mkdir(folder)
      await rm(folder, { recursive: true })
    }
  })
  const found: unknown[] = []
  for (let look = 0; look < LOOKS; look++) found.push(await findPlaces({ kind: 'path', name }))
  looking = false
  await Promise.all(others)

  expect(found).toEqual(Array(LOOKS).fill([{ name, begun: 0 }]))
})
