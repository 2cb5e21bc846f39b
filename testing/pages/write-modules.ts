import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readPage } from '../cli/read-guide.ts'
import { goesOn, moduleOfBlock } from './module-of-block.ts'

/** Where the modules are written; below the project, so that they find the package by its name. */
const FOLDER = join('.tidemark', 'pages')
const CODE = ['ts', 'tsx']
const STAND_INS = 'testing/pages/stand-ins'

/** Names that stand for another on one page. */
const CALLED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/existing-database.md': { db: 'tables' },
}

export const PAGES = ['README.md', ...globSync('docs/*.md').sort()]

/** Writes each block of TypeScript of each page as a module, named by its line or its title; answers how many. */
export function writeModules(): number {
  rmSync(FOLDER, { recursive: true, force: true })
  const names = new Map(['testing/pages/names.ts', 'testing/pages/sync.ts'].flatMap(exportedBy))
  let count = 0
  for (const page of PAGES) {
    const blocks = readPage(page).filter(({ language }) => CODE.includes(language))
    const folder = join(FOLDER, basename(page, '.md'))
    const known = new Map([...names, ...Object.entries(CALLED[page] ?? {})])
    for (const [index, { title, line, language, text }] of blocks.entries()) {
      const path = join(folder, title ?? `line-${line}.${language}`)
      const before = blocks.slice(0, index).filter((earlier) => goesOn(text, earlier.text))
      const whole = [...before.map((earlier) => earlier.text), text].join('')
      write(path, moduleOfBlock(whole, known, up(path, 'testing/pages/names.ts')))
      count += 1
    }
    for (const file of globSync('*.ts', { cwd: STAND_INS })) {
      const path = join(folder, file)
      if (blocks.length > 0 && !existsSync(path)) write(path, `export * from '${up(path, join(STAND_INS, file))}'\n`)
    }
  }
  return count
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

const up = (path: string, target: string) => `${'../'.repeat(path.split('/').length - 1)}${target}`

/** The names that a module exports, each with how it is imported, read from its text. */
function exportedBy(path: string): [string, string][] {
  const source = readFileSync(path, 'utf8')
  const declared = [...source.matchAll(/^export (?:declare )?(?:const|function) (\w+)/gm)]
  const passedOn = [...source.matchAll(/^export \{ ([^}]+) \} from/gm)].flatMap(([, list = '']) =>
    list.split(', ').map((item): [string, string] => [item.replace('type ', ''), item]),
  )
  const spaces = [...source.matchAll(/^export \* as (\w+) from/gm)]
  const types = [...source.matchAll(/^export interface (\w+)/gm)].map(([, name = '']): [string, string] => [
    name,
    `type ${name}`,
  ])
  const values = [...declared, ...spaces].map(([, name = '']): [string, string] => [name, name])
  return [...types, ...values, ...passedOn]
}
