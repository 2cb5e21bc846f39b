import * as z from 'zod/mini'
import { counterSchema, definitionSchema, rejectionSchema } from '../../../protocol/index.ts'
import { saidSchema } from '../../store/rules/said-version.ts'

/** The format of a journal; another format takes another number. */
export const JOURNAL_FORMAT = 1

/** A row of `tidemark.write`, as it was captured. */
const capturedSchema = z.object({
  table_id: z.string(),
  op: z.enum(['insert', 'update', 'delete']),
  key: z.string(),
  before: z.nullable(z.string()),
  after: z.nullable(z.string()),
})

/**
 * One mutation as it was made here. A patch that was sealed by the transaction that made it carries its rows, any other
 * the images that sealing makes them from, with the hash of the definition under which they were captured.
 */
const madeSchema = z.object({
  t: z.literal('made'),
  counter: counterSchema,
  kind: z.enum(['patch', 'action']),
  origin: z.string(),
  /** The tab that made it, and by which call; records from before there were tabs have neither. */
  tab: z._default(z.nullable(z.string()), null),
  call: z._default(z.nullable(z.string()), null),
  name: z.nullable(z.string()),
  args: z.nullable(z.string()),
  /** The keys that an action took by itself; older records have none. */
  keys: z._default(z.nullable(z.string()), null),
  at: z.string(),
  patch: z.nullable(z.string()),
  writes: z.array(capturedSchema),
  hash: z.nullable(z.string()),
  /**
   * The version of the definition in which its rows are said, those of tables that were behind then in versions of their own;
   * null in older records.
   */
  said: z._default(z.nullable(saidSchema), null),
})

/** The text of a mutation from its first attempt on, what that predicts, and which others were squashed into it. */
const frozenSchema = z.object({
  t: z.literal('frozen'),
  counter: counterSchema,
  request: z.string(),
  predicted: z.nullable(z.string()),
  took: z.array(counterSchema),
})

/** The mutation failed, and waits for the app to decide. */
const failedSchema = z.object({ t: z.literal('failed'), counter: counterSchema, rejection: rejectionSchema })

/** Nothing more is to be done for the mutation: its commit was seen, or its failure was decided on. */
const endedSchema = z.object({ t: z.literal('ended'), counter: counterSchema, how: z.enum(['confirmed', 'gone']) })

export const recordSchema = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('begun'),
    format: z.literal(JOURNAL_FORMAT),
    /** The file of the higher generation is in force, if it was sealed. */
    generation: z.int().check(z.positive()),
    user: z.string(),
    client: z.string(),
  }),
  /** Everything unsettled when the file was begun stands before this; `counter` is the highest number given by then. */
  z.object({ t: z.literal('sealed'), counter: z.int().check(z.nonnegative()) }),
  z.object({ t: z.literal('definition'), hash: z.string(), definition: definitionSchema }),
  madeSchema,
  frozenSchema,
  failedSchema,
  endedSchema,
  /** The user signed out: nothing of this is to come back. */
  z.object({ t: z.literal('left') }),
])

export type JournalRecord = z.infer<typeof recordSchema>
export type MadeRecord = z.infer<typeof madeSchema>
export type FrozenRecord = z.infer<typeof frozenSchema>

/** `origin` of a mutation that makes a failed one anew. */
export const retryOf = (counter: number) => `retry ${counter}`

/** Answers the failed mutation that one of this origin makes anew; null where it makes none. */
export function retriedBy(origin: string): number | null {
  const found = /^retry (\d+)$/.exec(origin)
  return found ? Number(found[1]) : null
}
