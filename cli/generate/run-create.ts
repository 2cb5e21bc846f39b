import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Invocation } from '../command.ts'
import { DOWN } from '../migrations/migration-file.ts'
import { nextName } from './migration-text.ts'

const TEXT = `-- Runs in one transaction, once. Put this line between statements:
--> statement-breakpoint
`

/** Writes an empty migration, numbered after the last. */
export function runCreate({ argument, values, switches }: Invocation): number {
  const folder = join(resolve(values.folder ?? '.'), 'migrations')
  const path = join(folder, nextName(folder, argument ?? ''))
  const paths = switches.has('down') ? [path, path.replace(/\.sql$/, DOWN)] : [path]
  mkdirSync(folder, { recursive: true })
  for (const written of paths) {
    writeFileSync(written, TEXT)
    console.log(`Wrote ${relative(process.cwd(), written)}`)
  }
  return 0
}
