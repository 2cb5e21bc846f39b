import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Invocation } from '../command.ts'
import { nextName } from './migration-text.ts'

const TEXT = `-- Runs in one transaction, once. Put this line between statements:
--> statement-breakpoint
`

/** Writes an empty migration, numbered after the last. */
export function runCreate({ argument, values }: Invocation): number {
  const folder = join(resolve(values.folder ?? '.'), 'migrations')
  const path = join(folder, nextName(folder, argument ?? ''))
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, TEXT)
  console.log(`Wrote ${relative(process.cwd(), path)}`)
  return 0
}
