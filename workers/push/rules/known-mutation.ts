import { z } from 'zod'
import { type Outcome, rejectionSchema } from '../../../protocol/index.ts'

/** As `known_mutation` of the database answers. */
export const knownSchema = z.union([
  z.object({ settled: z.literal(true) }),
  z.object({ digest: z.string(), status: z.enum(['committed', 'rejected']), rejection: rejectionSchema.nullable() }),
])

export type KnownMutation = z.infer<typeof knownSchema>

/** What is stored is what is answered, unless it is another mutation's. */
export function outcomeOf(counter: number, digest: string, known: KnownMutation): Outcome {
  // Its client has stored the outcome long ago; one that has not must not take it for done.
  if ('settled' in known) return { counter, status: 'settled' }
  if (known.digest !== digest) {
    const message = 'Another mutation has this number: the storage of this replica was copied, or set back.'
    return { counter, status: 'rejected', rejection: { kind: 'id-taken', message } }
  }
  if (known.rejection === null) return { counter, status: 'committed' }
  return { counter, status: 'rejected', rejection: known.rejection }
}
