import * as z from 'zod/mini'
import { ERROR_RULES, type ErrorKind } from './errors.ts'
import { lsnSchema } from './lsn-schema.ts'
import { counterSchema, rejectionSchema } from './mutation.ts'

/** Frames that a SyncDO sends: text frames of JSON; the bare text `pong` answers `ping`. */
const rowSchema = z.record(z.string(), z.nullable(z.string()))

/** A change as it travels; field names are short because they are most of the bytes. See `change-codec.ts`. */
export const wireChangeSchema = z.union([
  z.object({ o: z.literal('i'), t: z.string(), a: z.string(), d: rowSchema }),
  z.object({ o: z.literal('u'), t: z.string(), a: z.string(), k: rowSchema, d: rowSchema }),
  z.object({ o: z.literal('d'), t: z.string(), a: z.string(), k: rowSchema }),
  z.object({ o: z.literal('t'), t: z.string() }),
])

/** First of its transaction: it is this client's own mutation, or records its rejection (`r`). */
const mutationNoteSchema = z.object({ o: z.literal('m'), c: counterSchema, r: z.optional(rejectionSchema) })

/**
 * A change that the reader's own mutation predicted: the change number `p` of its frozen prediction, with the columns
 * `d` instead of the predicted ones, and without the columns `x`. A predicted change that no `p` names was not written.
 */
const predictedNoteSchema = z.object({
  o: z.literal('p'),
  p: z.int().check(z.nonnegative()),
  d: z.optional(rowSchema),
  x: z.optional(z.array(z.string())),
})

/** A version comes in force here (`k.version`): what is before it in its transaction is told by the version before, what is after it by this one. */
const versionNoteSchema = z.object({ o: z.literal('v'), k: z.object({ version: z.string() }) })

export const markedChangeSchema = z.union([
  wireChangeSchema,
  mutationNoteSchema,
  predictedNoteSchema,
  versionNoteSchema,
])

const transactionSchema = z.object({
  lsn: lsnSchema,
  xid: z.string(),
  at: z.string(),
  changes: z.array(markedChangeSchema),
})

export const REHYDRATE_REASONS = ['new', 'epoch', 'retention', 'definition', 'audience-granted', 'diverged'] as const

const welcomeSchema = z.object({
  type: z.literal('welcome'),
  epoch: z.string(),
  head: lsnSchema,
  definitionVersion: z.int(),
  definitionHash: z.string(),
  /** The audiences that this session may see. */
  audiences: z.array(z.string()),
  /** `stream`: the cursor holds and frames follow. `hydrate`: fetch snapshots, then send `stream`. */
  resume: z.enum(['stream', 'hydrate']),
  /** Why to hydrate; null when streaming. */
  reason: z.nullable(z.enum(REHYDRATE_REASONS)),
  windowBytes: z.int(),
})

/**
 * Everything that this session may see in `(from, to]`; apply it and move the cursor to `to` in one transaction.
 *
 * `from` equals the cursor that the client has reached, else the client reconnects. Without transactions a batch only
 * announces the head.
 */
const batchSchema = z.object({
  type: z.literal('batch'),
  from: lsnSchema,
  to: lsnSchema,
  /** The head as the server knows it, at or past `to`. */
  head: lsnSchema,
  transactions: z.array(transactionSchema),
})

/** One piece of a transaction above a frame's size. `index` counts from 0; the last piece completes it, and the cursor moves to `lsn`. */
const partSchema = z.object({
  type: z.literal('part'),
  from: lsnSchema,
  lsn: lsnSchema,
  head: lsnSchema,
  xid: z.string(),
  at: z.string(),
  index: z.int().check(z.nonnegative()),
  last: z.boolean(),
  changes: z.array(markedChangeSchema),
})

/**
 * A slice of the JSON text of one change that alone exceeds a frame; concatenate `text` over `piece` of one `index`, then
 * treat it as a part with that one change.
 */
const fragmentSchema = z.object({
  type: z.literal('fragment'),
  from: lsnSchema,
  lsn: lsnSchema,
  index: z.int().check(z.nonnegative()),
  piece: z.int().check(z.nonnegative()),
  text: z.string(),
})

/** Drop what is held and hydrate anew; the socket stays. */
const rehydrateSchema = z.object({ type: z.literal('rehydrate'), reason: z.enum(REHYDRATE_REASONS) })

/** Sent before the server closes the socket with the kind's close code. */
const faultSchema = z.object({
  type: z.literal('fault'),
  kind: z.enum(Object.keys(ERROR_RULES) as [ErrorKind, ...ErrorKind[]]),
  message: z.string(),
})

/** The renewed token was accepted; the session ends at `expiresAt` (ISO 8601), or with the token's right if null. */
const renewedSchema = z.object({ type: z.literal('renewed'), expiresAt: z.nullable(z.string()) })

/**
 * The audiences that this session may see from here on in the stream. Rows of audiences that are gone are removed;
 * changes of new ones follow at once, and count from the snapshots that the client now loads beside the rows it shows.
 * A transaction that was sent in part begins anew.
 */
const audiencesSchema = z.object({ type: z.literal('audiences'), audiences: z.array(z.string()) })

/**
 * Answers a `stream` that came while another ran: frames before this belong to the earlier one, frames after it to the
 * new.
 */
const restartedSchema = z.object({ type: z.literal('restarted'), from: lsnSchema })

export const frameDownSchema = z.discriminatedUnion('type', [
  welcomeSchema,
  batchSchema,
  partSchema,
  fragmentSchema,
  rehydrateSchema,
  faultSchema,
  renewedSchema,
  audiencesSchema,
  restartedSchema,
])

export type FrameDown = z.infer<typeof frameDownSchema>
export type Welcome = z.infer<typeof welcomeSchema>
export type Batch = z.infer<typeof batchSchema>
export type AudiencesFrame = z.infer<typeof audiencesSchema>
export type Restarted = z.infer<typeof restartedSchema>
export type Part = z.infer<typeof partSchema>
export type Fragment = z.infer<typeof fragmentSchema>
export type RehydrateReason = (typeof REHYDRATE_REASONS)[number]
export type WireChange = z.infer<typeof wireChangeSchema>
export type MutationNote = z.infer<typeof mutationNoteSchema>
export type PredictedNote = z.infer<typeof predictedNoteSchema>
export type VersionNote = z.infer<typeof versionNoteSchema>
/** A change as it travels to a client that may be its author; a transaction of others has wire changes alone. */
export type MarkedChange = z.infer<typeof markedChangeSchema>
export type WireTransaction = z.infer<typeof transactionSchema>
