import type { Parameter } from '../../db/query.ts'
import type { MigrationFile } from './migration-file.ts'
import { retypeStatement } from './retype-statement.ts'
import { splitStatements } from './split-statements.ts'
import { effectOf, type StatementEffect } from './statement-effect.ts'

/** Statements of a file that are sent as one, because they do the same to schema and rows. */
export interface FileRun {
  readonly text: string
  readonly parameters: readonly Parameter[]
  readonly effect: StatementEffect
  /** The statement of the file that it is, or is of. */
  readonly index: number
}

/** `lastval()` would answer the number of a version that comes in force between two statements. */
const IS_UNDIVIDED = /\blastval\b/i

/**
 * Divides a file into runs that alter the schema and runs that write rows, in order; what may do both is a run of its own, as is
 * what gives columns other types.
 * A file that must not be divided says of no run what it does.
 */
export function runsOf({
  statements,
  parameters,
}: Pick<MigrationFile, 'statements' | 'parameters'>): readonly FileRun[] {
  const isUndivided = statements.some((statement) => IS_UNDIVIDED.test(statement))
  return statements.flatMap((statement, index): FileRun[] => {
    const values = parameters?.[index] ?? []
    if (isUndivided) return [{ text: statement, parameters: values, effect: 'neither', index }]
    const parts = values.length > 0 ? [statement] : splitStatements(statement)
    if (parts === null) return [{ text: statement, parameters: values, effect: 'both', index }]
    const runs: FileRun[] = []
    let isLastAlone = false
    for (const text of parts) {
      const last = runs.at(-1)
      const effect = effectOf(text)
      const isAlone = retypeStatement(text) !== null
      const joint = last && !isAlone && !isLastAlone && jointEffect(last.effect, effect)
      if (joint) runs[runs.length - 1] = { ...last, text: `${last.text}\n;\n${text}`, effect: joint }
      else runs.push({ text, parameters: values, effect, index })
      isLastAlone = isAlone
    }
    return runs
  })
}

function jointEffect(one: StatementEffect, next: StatementEffect): StatementEffect | null {
  if (one === 'neither' || one === next) return one === 'both' ? null : next
  return next === 'neither' && one !== 'both' ? one : null
}
