import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Invocation } from '../command.ts'
import { packageRoot } from '../package-root.ts'
import { appManifest, type OwnManifest, type Template } from './app-manifest.ts'

/** Placeholder for the app's name in the template's files. */
const NAME = 'tidemark-app'
/** The folders that each template is made of, in the order in which they are laid over each other. */
const TEMPLATES: Readonly<Record<Template, readonly string[]>> = {
  node: ['template'],
  react: ['template-page/common', 'template-page/react'],
  vanilla: ['template-page/common', 'template-page/vanilla'],
}
const NAMED_FILES = ['wrangler.toml', 'README.md']

/** Writes a new app into a folder. Throws `bad-input` for a folder that is not empty, and for an unknown template. */
export function runInit({ argument, values }: Invocation): number {
  const folder = resolve(argument ?? '')
  const template = templateNamed(values.template ?? 'node')
  if (!isEmpty(folder))
    throw new TidemarkError('bad-input', `${folder} is not empty. Give a new or empty folder; nothing was written.`)
  const name = writeApp(folder, template)
  const shown = relative(process.cwd(), folder) || '.'
  console.log(
    `Made ${name} in ${folder}\n\nNext:\n  cd ${shown}\n  npm install\n  ${template === 'node' ? 'npx tidemark dev' : 'npm run dev'}`,
  )
  return 0
}

/** Tells whether a folder holds nothing, or is not there. */
export const isEmpty = (folder: string): boolean =>
  !existsSync(folder) || (statSync(folder).isDirectory() && readdirSync(folder).length === 0)

/** Writes the app's name into a file of a template. */
export const named = (text: string, folder: string): string => text.replaceAll(NAME, workerName(basename(folder)))

/** Writes the files of a template into an empty folder, and returns the name that the app has. */
export function writeApp(folder: string, template: Template): string {
  const name = workerName(basename(folder))
  mkdirSync(folder, { recursive: true })
  for (const part of TEMPLATES[template]) cpSync(join(packageRoot(), 'cli', part), folder, { recursive: true })
  // npm drops files of this name when it packs.
  renameSync(join(folder, 'gitignore'), join(folder, '.gitignore'))
  for (const file of NAMED_FILES) {
    const path = join(folder, file)
    writeFileSync(path, named(readFileSync(path, 'utf8'), folder))
  }
  const own = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as OwnManifest
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(appManifest(name, own, template), null, 2)}\n`)
  return name
}

function templateNamed(name: string): Template {
  const names = Object.keys(TEMPLATES) as Template[]
  const found = names.find((one) => one === name)
  if (found) return found
  throw new TidemarkError('bad-input', `There is no template ${name}: give one of ${names.join(', ')}.`)
}

/** Makes a name that npm and Cloudflare both take: lower case letters, digits and single hyphens. */
export function workerName(folderName: string): string {
  const plain = folderName.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return plain.replaceAll(/^-+|-+$/g, '').slice(0, 54) || NAME
}
