import * as z from 'zod/mini'

/**
 * The history of the server and the version of the definition in which a mutation is said. Tables that were `behind` then are
 * said, by their id there, in the version since which they had been as they were.
 */
export const saidSchema = z.object({
  epoch: z.string(),
  version: z.number(),
  behind: z.optional(z.record(z.string(), z.number())),
})
export type Said = z.infer<typeof saidSchema>
