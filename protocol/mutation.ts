import * as z from 'zod/mini'
import { LIMITS } from './limits.ts'
import { lsnSchema } from './lsn-schema.ts'

/**
 * Counts a client's mutations from 1 in the order in which its user made them; with the client's id it names one
 * permanently.
 */
export const counterSchema = z.int().check(z.positive(), z.maximum(Number.MAX_SAFE_INTEGER))

const rowSchema = z.record(z.string(), z.nullable(z.string()))

/**
 * The value of a column when its author changed it: a value that they saw, or whatever their own earlier mutation left
 * there.
 */
export const basisSchema = z.union([
  z.strictObject({ v: z.nullable(z.string()) }),
  z.strictObject({ m: counterSchema }),
])

/**
 * One row as its author predicts it: `d` holds all columns of an insert, the changed ones of an update. A change of key
 * or of audience is a delete and an insert, as in the stream. `a` is the audience that the author expects to receive
 * it.
 */
export const predictedChangeSchema = z.discriminatedUnion('o', [
  z.strictObject({ o: z.literal('i'), t: z.string(), a: z.string(), k: rowSchema, d: rowSchema }),
  z.strictObject({ o: z.literal('u'), t: z.string(), a: z.string(), k: rowSchema, d: rowSchema }),
  z.strictObject({ o: z.literal('d'), t: z.string(), a: z.string(), k: rowSchema }),
])

/**
 * A predicted change as an order: `z` names columns of an insert that are left to the server's defaults, `b` has the
 * basis of each changed column.
 */
export const patchRowSchema = z.discriminatedUnion('o', [
  z.strictObject({
    o: z.literal('i'),
    t: z.string(),
    a: z.string(),
    k: rowSchema,
    d: rowSchema,
    z: z.optional(z.array(z.string())),
  }),
  z.strictObject({
    o: z.literal('u'),
    t: z.string(),
    a: z.string(),
    k: rowSchema,
    d: rowSchema,
    b: z.record(z.string(), basisSchema),
  }),
  z.strictObject({ o: z.literal('d'), t: z.string(), a: z.string(), k: rowSchema }),
])

const mutationBase = {
  counter: counterSchema,
  /** Time at which it was made, by the author's clock; ISO 8601, UTC. The server clamps it. */
  at: z.iso.datetime(),
  /** The version of the definition in whose names it is said; absent: the one in force. */
  version: z.optional(z.int().check(z.nonnegative())),
  /** Earlier mutations whose rows this one writes or refers to: it falls with any of them. */
  after: z.array(counterSchema).check(z.maxLength(LIMITS.mutationDependencies)),
}

/** Captured SQL writes: at most one entry for each row, except for a delete followed by an insert. */
export const patchMutationSchema = z.strictObject({
  ...mutationBase,
  kind: z.literal('patch'),
  rows: z.array(patchRowSchema).check(z.minLength(1), z.maxLength(LIMITS.mutationRows)),
})

/** A key of a sequence as Postgres prints it. */
const leasedKeySchema = z.string().check(z.regex(/^(0|-?[1-9]\d{0,18})$/))

/**
 * A named function and its arguments, with its effects where it was called; `predicted` is null where that is too much
 * to send.
 */
export const actionMutationSchema = z.strictObject({
  ...mutationBase,
  kind: z.literal('action'),
  name: z.string().check(z.maxLength(128)),
  args: z.json(),
  predicted: z.nullable(z.array(predictedChangeSchema).check(z.maxLength(LIMITS.mutationRows))),
  /** The keys that it took by `key` where it was called, by sequence, in its order. */
  keys: z.optional(z.record(z.string(), z.array(leasedKeySchema).check(z.maxLength(LIMITS.mutationRows)))),
})

export const pushedMutationSchema = z.discriminatedUnion('kind', [patchMutationSchema, actionMutationSchema])

const clientIdSchema = z.string().check(z.regex(/^[A-Za-z0-9_-]{16,64}$/))

/**
 * `POST /sync/push`: mutations in their author's order. Each is checked by itself, so that a malformed one is refused
 * and no other.
 */
export const pushRequestSchema = z.strictObject({
  protocol: z.int(),
  client: clientIdSchema,
  /** The author has stored every outcome up to here and asks for none of them again. */
  acknowledged: z.int().check(z.nonnegative()),
  /** As in the hello. */
  migration: z.optional(z.string().check(z.maxLength(LIMITS.migrationNameChars))),
  mutations: z.array(z.unknown()).check(z.maxLength(LIMITS.pushMutations)),
})

export const REJECTION_KINDS = [
  /** A column's value is no longer the basis, and the table's policy refuses; `row` is the server's. */
  'conflict',
  /** A constraint of the database; `constraint` names it. */
  'constraint',
  /** The key of a new row is another row's by now: the replica makes the row anew under another. */
  'key-taken',
  /** The key of a new row is none that its author leased: the replica leases others, and makes the row anew. */
  'key-unleased',
  /** Row-level security, an audience that is not the author's, a table or column they may not write. */
  'forbidden',
  /** The row is deleted, or moved to where the author does not see it. */
  'missing-row',
  /** The mutation does not have the form or the types of the definition. */
  'invalid',
  'unknown-action',
  /** The app's own refusal: `code`, and `data` as it gave it. */
  'refused',
  /** A mutation that this one builds on was rejected: `on`. */
  'dependency',
  'limit-exceeded',
  /** The schema has moved on; the app must be updated. */
  'outdated-schema',
  /** Another mutation has this number: the replica's storage was copied. */
  'id-taken',
  /**
   * The server settled this number long ago and keeps only that, and this replica does not know the outcome: its
   * storage was set back.
   */
  'outcome-unknown',
] as const

/** Why a mutation was refused for good. It names nothing that its author may not see. */
export const rejectionSchema = z.object({
  kind: z.enum(REJECTION_KINDS),
  message: z.string(),
  table: z.optional(z.string()),
  key: z.optional(rowSchema),
  columns: z.optional(z.array(z.string())),
  constraint: z.optional(z.string()),
  /** The server's row, visible columns only; set for a conflict. */
  row: z.optional(rowSchema),
  code: z.optional(z.string()),
  data: z.optional(z.json()),
  on: z.optional(counterSchema),
})

/** The outcome of one mutation; the stored outcome is the answer, the first time and ever after. */
export const outcomeSchema = z.discriminatedUnion('status', [
  z.object({ counter: counterSchema, status: z.literal('committed') }),
  /** At or below its client's floor: only the client knows how it ended. */
  z.object({ counter: counterSchema, status: z.literal('settled') }),
  z.object({ counter: counterSchema, status: z.literal('rejected'), rejection: rejectionSchema }),
])

export const pushAnswerSchema = z.object({
  /** The outcomes of the mutations sent, from the first up to the last that was decided. */
  outcomes: z.array(outcomeSchema),
  /** Why the rest was not tried, and when to send it again; null where nothing is left. */
  retry: z.nullable(z.object({ message: z.string(), afterMs: z.nullable(z.number().check(z.nonnegative())) })),
})

/** `POST /sync/outcomes`: asks for outcomes of mutations whose answer may have been lost, before a snapshot joins. */
export const outcomesRequestSchema = z.strictObject({
  protocol: z.int(),
  client: clientIdSchema,
  counters: z.array(counterSchema).check(z.maxLength(LIMITS.outcomesCounters)),
})

export const outcomesAnswerSchema = z.object({
  epoch: z.string(),
  /** Unknown mutations are left out: none of them was committed before this was asked. */
  outcomes: z.array(
    z.object({
      outcome: outcomeSchema,
      /**
       * The place of the commit in this epoch's history; all zeros where it lies in an earlier epoch, which every
       * snapshot of this epoch shows; null where it is not captured yet, and the stream will bring it.
       */
      lsn: z.nullable(lsnSchema),
    }),
  ),
})

/** `POST /sync/leases`: asks for so many keys of each of these sequences of the definition. */
export const leasesRequestSchema = z.strictObject({
  protocol: z.int(),
  client: clientIdSchema,
  wanted: z.record(z.string(), z.int().check(z.positive(), z.maximum(LIMITS.leasedKeys))),
})

/** Fewer keys than were asked for, or none, where a sequence nears its end or the user was given what one may have. */
export const leasesAnswerSchema = z.object({ keys: z.record(z.string(), z.array(leasedKeySchema)) })

export type LeasesRequest = z.infer<typeof leasesRequestSchema>
export type LeasesAnswer = z.infer<typeof leasesAnswerSchema>
export type Basis = z.infer<typeof basisSchema>
export type PredictedChange = z.infer<typeof predictedChangeSchema>
export type PatchRow = z.infer<typeof patchRowSchema>
export type PatchMutation = z.infer<typeof patchMutationSchema>
export type ActionMutation = z.infer<typeof actionMutationSchema>
export type PushedMutation = z.infer<typeof pushedMutationSchema>
export type PushRequest = z.infer<typeof pushRequestSchema>
export type PushAnswer = z.infer<typeof pushAnswerSchema>
export type RejectionKind = (typeof REJECTION_KINDS)[number]
export type Rejection = z.infer<typeof rejectionSchema>
export type Outcome = z.infer<typeof outcomeSchema>
export type OutcomesRequest = z.infer<typeof outcomesRequestSchema>
export type OutcomesAnswer = z.infer<typeof outcomesAnswerSchema>

/** Returns the audience through which a client learns the outcomes of its mutations. */
export const clientAudience = (client: string): string => `client:${client}`

/** Tells whether an audience is a client's own, which no row and no answer of the app may name. */
export const isClientAudience = (audience: string): boolean => audience.startsWith(clientAudience(''))

/** Returns a patch's prediction: its rows without the parts that only the server needs. */
export function predictedByPatch(rows: readonly PatchRow[]): PredictedChange[] {
  return rows.map((row): PredictedChange => {
    const { o, t, a, k } = row
    if (o === 'd') return { o, t, a, k }
    return { o, t, a, k, d: row.d }
  })
}
