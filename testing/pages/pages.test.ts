import { expect, it } from 'vitest'
import { commandFaults, knownScripts } from './examine-commands.ts'
import { goesOn, moduleOfBlock } from './module-of-block.ts'
import { PAGES } from './write-modules.ts'

const known = new Map([
  ['left', 'left'],
  ['sync', 'sync'],
  ['db', 'tables'],
  ['Issue', 'type Issue'],
])
const moduleOf = (text: string) => moduleOfBlock(text, known, './names.ts')

it('CLI-R38 a block becomes a module: pieces are put into an object, gaps are anything, names are imported unless its own', () => {
  expect(moduleOf('createSyncWorker(sync, { …, location })')).toBe(
    `import { left, sync } from './names.ts'\ncreateSyncWorker(sync, { ...left, location })\nexport {}\n`,
  )
  expect(moduleOf('album: table(db.album, {}),')).toContain(
    `import { tables as db } from './names.ts'\nexport const piece = { album: table(db.album, {}), }`,
  )
  expect(moduleOf('const sync = 1\nfoo.sync\n// db')).toMatch(/^\n/)
  expect(moduleOf(`import { sync } from './sync.ts'\nconst { db } = one<Issue>(sync)`)).toContain(
    'import { type Issue }',
  )
  expect(goesOn('count = 0', 'let count = 1')).toBe(true)
  expect(goesOn('let count = 0', 'let count = 1')).toBe(false)
})

it('CLI-R38 every command of a page exists, and what no test runs has its reason', () => {
  const scripts = knownScripts()
  expect(PAGES.length).toBeGreaterThan(20)
  expect(PAGES.flatMap((page) => commandFaults(page, scripts))).toEqual([])
})
