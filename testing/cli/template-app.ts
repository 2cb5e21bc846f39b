import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The app that `tidemark init` makes, in a folder where it finds the package without an installation. */
export interface TemplateApp {
  readonly folder: string
  read(name: string): string
  /** Writes a file as an editor saves it. */
  save(name: string, text: string): void
  remove(): void
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TAKEN = ['template', 'migrations', '0001_task.sql', 'sync.ts', 'worker.ts', 'wrangler.toml']

export function makeTemplateApp(): TemplateApp {
  const copies = join(ROOT, '.tidemark')
  mkdirSync(copies, { recursive: true })
  const folder = mkdtempSync(join(copies, 'app-'))
  cpSync(join(ROOT, 'cli', 'template'), folder, {
    recursive: true,
    filter: (source) => TAKEN.includes(basename(source)),
  })
  return {
    folder,
    read: (name) => readFileSync(join(folder, name), 'utf8'),
    save: (name, text) => writeFileSync(join(folder, name), text),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}
