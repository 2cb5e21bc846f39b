import * as z from 'zod/mini'
import { lsnSchema } from './lsn-schema.ts'

/** What an audience's rows come to at one moment, as `GET /sync/sums/:audience` answers it. */
export const sumsAnswerSchema = z.object({
  epoch: z.string(),
  audience: z.string(),
  definitionVersion: z.int(),
  definitionHash: z.string(),
  /** Every commit at or below it is in the sums where `isExact`. */
  since: lsnSchema,
  /** No commit above it is in the sums. */
  fence: lsnSchema,
  /** False where the log tells of a commit that others do not see yet, so that a difference says nothing. */
  isExact: z.boolean(),
  tables: z.array(
    z.object({
      table: z.string(),
      rows: z.int().check(z.nonnegative()),
      /** The sum of `rowDigestSql` over the rows, in decimal. */
      digest: z.string().check(z.regex(/^\d+$/)),
    }),
  ),
})

export type SumsAnswer = z.infer<typeof sumsAnswerSchema>
