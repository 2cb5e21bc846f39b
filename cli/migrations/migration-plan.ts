import type { MigrationFile } from './migration-file.ts'

export interface AppliedMigration {
  readonly name: string
  readonly hash: string
}

/** One as the record has it. */
export interface RecordedMigration extends AppliedMigration {
  /** The time at which it ran, to be shown. */
  readonly at: string
  /** The definition in force once it had run; null where the record does not say. */
  readonly version: number | null
  /** True where it ran before Tidemark came, and was only put on record. */
  readonly baseline: boolean
}

export interface MigrationPlan {
  readonly pending: readonly MigrationFile[]
  /** Obstacles, one sentence each; with any, nothing may run. */
  readonly faults: readonly string[]
}

/** Compares the files of one folder with the record of those that ran. */
export function planMigrations(files: readonly MigrationFile[], applied: readonly AppliedMigration[]): MigrationPlan {
  const recorded = new Map(applied.map((migration) => [migration.name, migration.hash]))
  const present = new Set(files.map((file) => file.name))
  const last = applied.reduce((latest, migration) => (migration.name > latest ? migration.name : latest), '')
  const faults: string[] = []
  for (const { name } of applied) {
    if (!present.has(name)) {
      faults.push(`${name} ran in this database, but its file is missing: restore it, or use a newer version.`)
    }
  }
  for (const file of files) {
    const hash = recorded.get(file.name)
    if (hash === undefined && file.name < last) {
      faults.push(`${file.name} has not run, but the later ${last} has: rename it so that it comes last.`)
    }
    if (hash !== undefined && hash !== file.hash) {
      faults.push(`${file.name} was edited after it ran: restore it, and put the change into a new file.`)
    }
  }
  return { pending: files.filter((file) => !recorded.has(file.name)), faults }
}
