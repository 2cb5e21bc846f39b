import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
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

/** Copies the example, because suites run side by side and a server that builds its page would take another's away. */
export function copyTracker(): TrackerCopy {
  const copies = join(ROOT, '.tidemark')
  mkdirSync(copies, { recursive: true })
  const folder = mkdtempSync(join(copies, 'tracker-'))
  cpSync(join(ROOT, 'examples', 'tracker'), folder, {
    recursive: true,
    filter: (source) => !MADE.includes(basename(source)),
  })
  return { app: relative(ROOT, folder), remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }) }
}
