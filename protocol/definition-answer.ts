import * as z from 'zod/mini'
import { definitionSchema } from './definition.ts'
import { lsnSchema } from './lsn-schema.ts'

/**
 * Answer of `GET /sync/definition`: the definition in force at the head of the history, for clients without an audience
 * whose snapshot would hold it.
 */
export const definitionAnswerSchema = z.object({
  epoch: z.string(),
  head: lsnSchema,
  definitionVersion: z.int(),
  definitionHash: z.string(),
  definition: definitionSchema,
})

export type DefinitionAnswer = z.infer<typeof definitionAnswerSchema>
