import type { Command } from './command.ts'
import { build } from './commands/build.ts'
import { dev } from './commands/dev.ts'
import { doctor } from './commands/doctor.ts'
import { init } from './commands/init.ts'
import { migrationAdopt } from './commands/migration-adopt.ts'
import { migrationCleanup } from './commands/migration-cleanup.ts'
import { migrationCreate } from './commands/migration-create.ts'
import { migrationGenerate } from './commands/migration-generate.ts'
import { migrationRevert } from './commands/migration-revert.ts'
import { migrate, migrationRun } from './commands/migration-run.ts'
import { migrationStatus } from './commands/migration-status.ts'
import { migrationStoreSql } from './commands/migration-store-sql.ts'
import { remove } from './commands/remove.ts'
import { sql } from './commands/sql.ts'

/** Every subcommand, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  init,
  dev,
  build,
  migrationGenerate,
  migrationCreate,
  migrationStoreSql,
  migrationCleanup,
  migrationRun,
  migrate,
  migrationStatus,
  migrationRevert,
  migrationAdopt,
  doctor,
  remove,
  sql,
]
