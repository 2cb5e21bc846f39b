import * as z from 'zod/mini'
import { definitionSchema } from './definition.ts'
import { lsnSchema } from './lsn-schema.ts'
import { tableStepSchema } from './table-step.ts'

/** A version of the definition, at its place in the stream. */
export const definitionVersionSchema = z.object({
  version: z.int(),
  hash: z.string(),
  /** The commit that put it in force: rows above it are told by this version. */
  lsn: lsnSchema,
  definition: definitionSchema,
  steps: z.array(tableStepSchema),
  /** What became of the names of tables that have no step and were found again: work in progress follows them. */
  names: z._default(z.array(tableStepSchema), []),
})

export type DefinitionVersion = z.infer<typeof definitionVersionSchema>

/** The part of a version that says how names go over to it. */
export type NamedVersion = Pick<DefinitionVersion, 'definition' | 'steps' | 'names'>

/** Answer of `GET /sync/migrations?from=<version>`: all versions after that one, in order, of the present history. */
export const migrationsAnswerSchema = z.object({ epoch: z.string(), versions: z.array(definitionVersionSchema) })

export type MigrationsAnswer = z.infer<typeof migrationsAnswerSchema>
