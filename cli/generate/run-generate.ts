import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { loadEntities } from '../build/load-entities.ts'
import { checkEntities } from '../build/run-build.ts'
import type { Invocation } from '../command.ts'
import { readChoices } from './choices.ts'
import { compareDatabases } from './compare-databases.ts'
import { migrationText, nextName } from './migration-text.ts'
import { withScratch } from './scratch.ts'

/** Writes the migration that brings the app's tables to what its entities say. */
export async function runGenerate({ argument, values }: Invocation): Promise<number> {
  const root = resolve(values.folder ?? '.')
  const folder = join(root, 'migrations')
  const name = argument ?? ''
  const choices = readChoices(values)
  const names = [nextName(folder, name), nextName(folder, name, 1)]
  const app = await loadEntities(root)
  await checkEntities(app)
  const { labels, steps, notes } = await withScratch(values['database-url'], (now, wanted) =>
    compareDatabases(app, folder, choices, now, wanted),
  )
  for (const note of notes) console.log(note)
  const files = [labels, steps].filter((file) => file.length > 0)
  if (files.length === 0) {
    console.log('The migrations make what the entities say: nothing to generate.')
    return 0
  }
  mkdirSync(folder, { recursive: true })
  for (const [index, file] of files.entries()) {
    const path = join(folder, names[index] ?? '')
    writeFileSync(path, migrationText(`migration:generate ${name}`, file))
    console.log(`Wrote ${relative(process.cwd(), path)}:`)
    for (const { says } of file) console.log(`  ${says}`)
  }
  return 0
}
