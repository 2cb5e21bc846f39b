import { z } from 'zod'
import { type Outcome, rejectionSchema } from '../../../protocol/index.ts'

/** The answer of the database's function `known_mutation`. */
export const knownSchema = z.union([
  z.object({ settled: z.literal(true) }),
  z.object({ digest: z.string(), status: z.enum(['committed', 'rejected']), rejection: z.nullable(rejectionSchema) }),
])

export type KnownMutation = z.infer<typeof knownSchema>

/** Answers what is stored, unless that is another mutation's. */
export function outcomeOf(counter: number, digest: string, known: KnownMutation): Outcome {
  // The client stored the outcome long ago; a client that has not must not take the mutation for committed.
  if ('settled' in known) return { counter, status: 'settled' }
  if (known.digest !== digest) {
    const message = 'Another mutation has this number: the storage of this replica was copied, or set back.'
    return { counter, status: 'rejected', rejection: { kind: 'id-taken', message } }
  }
  if (known.rejection === null) return { counter, status: 'committed' }
  return { counter, status: 'rejected', rejection: known.rejection }
}
