import { existsSync, readdirSync } from 'node:fs'
import { TidemarkError } from '../../protocol/errors.ts'
import { isCodeMigration } from '../migrations/unread-files.ts'
import type { Step } from './step.ts'

const WIDTH = 4

/** Returns the name of the next file in a folder of migrations, numbered as its others. Throws `bad-input`. */
export function nextName(folder: string, name: string, ahead = 0): string {
  if (!/^[A-Za-z0-9][\w-]*$/.test(name)) {
    throw new TidemarkError(
      'bad-input',
      `${name} cannot name a file: use letters, digits, - and _, such as add-due-date.`,
    )
  }
  const taken = existsSync(folder)
    ? readdirSync(folder).filter((file) => file.endsWith('.sql') || isCodeMigration(folder, file))
    : []
  const last = taken.sort().at(-1)
  const digits = last === undefined ? '0' : /^\d+/.exec(last)?.[0]
  if (digits === undefined) {
    throw new TidemarkError(
      'bad-input',
      `${last} in ${folder} has no number to count on from: name it such as 0001_${last}.`,
    )
  }
  return `${String(Number(digits) + 1 + ahead).padStart(Math.max(WIDTH, digits.length), '0')}_${name}.sql`
}

/** Returns the text of a migration: each statement after a comment on what it does to the rows. */
export function migrationText(command: string, steps: readonly Step[]): string {
  const head = `-- Made by \`tidemark ${command}\`. Read what it does to your rows; from now on it is yours to change.\n`
  const parts = steps.map(({ statement, says }) => `-- ${says.replaceAll('\n', ' ')}\n${statement};\n`)
  return `${head}\n${parts.join('--> statement-breakpoint\n')}`
}
