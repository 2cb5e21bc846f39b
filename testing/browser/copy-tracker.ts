import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A copy of the example in a folder of its own, where it finds the package as it does in its place. */
export interface TrackerCopy {
  /** The path of the copy from the repository's root. */
  readonly app: string
  remove(): void
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MADE = ['dist', '.wrangler', '.tidemark']

/**
 * Copies the example, because suites run side by side and a server that builds its page would take another's away. With
 * `comments` its demo data have so many, for suites that open many pages and need no load that takes long.
 */
export function copyTracker(comments?: number): TrackerCopy {
  const copies = join(ROOT, '.tidemark')
  mkdirSync(copies, { recursive: true })
  const folder = mkdtempSync(join(copies, 'tracker-'))
  cpSync(join(ROOT, 'examples', 'tracker'), folder, {
    recursive: true,
    filter: (source) => !MADE.includes(basename(source)),
  })
  if (comments !== undefined) {
    const seed = join(folder, 'seed.ts')
    const text = readFileSync(seed, 'utf8')
    const fewer = text.replace('generateSeed(new Date())', `generateSeed(new Date(), ${comments})`)
    if (fewer === text) throw new Error('The seed of the example no longer generates what copyTracker makes smaller.')
    writeFileSync(seed, fewer)
  }
  return { app: relative(ROOT, folder), remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }) }
}
