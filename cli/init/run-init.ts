import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Invocation } from '../command.ts'
import { packageRoot } from '../package-root.ts'
import { appManifest, type OwnManifest } from './app-manifest.ts'

/** Placeholder for the app's name in the template's files. */
const NAME = 'tidemark-app'
const NAMED_FILES = ['wrangler.toml', 'README.md']

/** Writes a new app into a folder. Throws `bad-input` for a folder that is not empty. */
export function runInit({ argument }: Invocation): number {
  const folder = resolve(argument ?? '')
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new TidemarkError('bad-input', `${folder} is not empty. Give a new or empty folder; nothing was written.`)
  }
  const name = workerName(basename(folder))
  mkdirSync(folder, { recursive: true })
  cpSync(join(packageRoot(), 'cli', 'template'), folder, { recursive: true })
  // npm drops files of this name when it packs.
  renameSync(join(folder, 'gitignore'), join(folder, '.gitignore'))
  for (const file of NAMED_FILES) {
    const path = join(folder, file)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(NAME, name))
  }
  const own = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as OwnManifest
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(appManifest(name, own), null, 2)}\n`)
  const shown = relative(process.cwd(), folder) || '.'
  console.log(`Made ${name} in ${folder}\n\nNext:\n  cd ${shown}\n  npm install\n  npx tidemark dev`)
  return 0
}

/** Makes a name that npm and Cloudflare both take: lower case letters, digits and single hyphens. */
export function workerName(folderName: string): string {
  const plain = folderName.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return plain.replaceAll(/^-+|-+$/g, '').slice(0, 54) || NAME
}
