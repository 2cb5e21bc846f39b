import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { lsnSchema } from './lsn-schema.ts'

/** Frames that a client sends: text frames of JSON; the runtime answers the bare text `ping`. */
const helloSchema = z.strictObject({
  type: z.literal('hello'),
  protocol: z.number().int(),
  client: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
  /** These four state what the replica holds; all are null when it holds nothing. */
  epoch: z.string().max(64).nullable(),
  cursor: lsnSchema.nullable(),
  definitionVersion: z.number().int().nullable(),
  definitionHash: z.string().max(128).nullable(),
  /** The audiences that the replica holds, so that the server can find out which joined or left meanwhile. */
  audiences: z.array(z.string().max(512)).max(200),
  /** True where outcomes of mutations that were sent are not known here: then none of them may be missed. */
  unsettled: z.boolean(),
  /** The last migration that the page's code knows, by which it is judged (MIG-R7); absent: it does not say. */
  migration: z.string().max(LIMITS.migrationNameChars).optional(),
})

/**
 * Begins the stream after this LSN, once snapshots are in hand. Up to `rowsTo` the client's own mutations arrive as the
 * captured rows, because it no longer knows its predictions.
 */
const streamSchema = z.strictObject({
  type: z.literal('stream'),
  epoch: z.string().max(64),
  from: lsnSchema,
  rowsTo: lsnSchema.optional(),
})

/** Everything received so far: the count of frame characters on this socket, and the cursor that is durable. */
const ackSchema = z.strictObject({
  type: z.literal('ack'),
  received: z.number().int().nonnegative(),
  cursor: lsnSchema.nullable(),
})

/** A fresh token for the same user. */
const tokenSchema = z.strictObject({ type: z.literal('token'), token: z.string().max(8192) })

/** The tables that this replica cannot hold; replaces any earlier list on this socket. */
const refusedSchema = z.strictObject({ type: z.literal('refused'), tables: z.array(z.string().max(200)).max(100) })

/** The version of the definition that the replica's tables have by now; replaces what was said before. */
const schemaSchema = z.strictObject({
  type: z.literal('schema'),
  version: z.number().int(),
  /** Tables that wait to be loaded for it. */
  waiting: z.number().int().nonnegative(),
  /** Why it could not be made from the version before here, so that tables were loaded, or not be loaded; else null. */
  fault: z.string().max(LIMITS.schemaFaultChars).nullable(),
  /** How often what failed was tried again in vain. */
  retries: z.number().int().nonnegative(),
})

/** What was written here and is not settled; replaces what was said before on this socket. */
const unsentSchema = z.strictObject({
  type: z.literal('unsent'),
  /** Mutations that have waited for more than a minute, and the age of the oldest by the device's clock; null: none has. */
  count: z.number().int().nonnegative(),
  oldestMs: z.number().int().nonnegative().nullable(),
  /** Mutations that failed and wait for the user. */
  failed: z.number().int().nonnegative(),
})

export const frameUpSchema = z.discriminatedUnion('type', [
  helloSchema,
  streamSchema,
  ackSchema,
  tokenSchema,
  refusedSchema,
  schemaSchema,
  unsentSchema,
])

export type FrameUp = z.infer<typeof frameUpSchema>
export type SchemaFrame = z.infer<typeof schemaSchema>
export type Hello = z.infer<typeof helloSchema>
