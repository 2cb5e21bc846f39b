import * as z from 'zod/mini'
import { LIMITS } from './limits.ts'
import { lsnSchema } from './lsn-schema.ts'

/** Frames that a client sends: text frames of JSON; the runtime answers the bare text `ping`. */
const helloSchema = z.strictObject({
  type: z.literal('hello'),
  protocol: z.int(),
  client: z.string().check(z.regex(/^[A-Za-z0-9_-]{16,64}$/)),
  /** These four state what the replica holds; all are null when it holds nothing. */
  epoch: z.nullable(z.string().check(z.maxLength(64))),
  cursor: z.nullable(lsnSchema),
  definitionVersion: z.nullable(z.int()),
  definitionHash: z.nullable(z.string().check(z.maxLength(128))),
  /** The audiences that the replica holds, so that the server can find out which joined or left meanwhile. */
  audiences: z.array(z.string().check(z.maxLength(512))).check(z.maxLength(200)),
  /** True where outcomes of mutations that were sent are not known here: then none of them may be missed. */
  unsettled: z.boolean(),
  /** The last migration that the page's code knows, by which it is judged (MIG-R7); absent: it does not say. */
  migration: z.optional(z.string().check(z.maxLength(LIMITS.migrationNameChars))),
})

/**
 * Begins the stream after this LSN, once snapshots are in hand. Up to `rowsTo` the client's own mutations arrive as the
 * captured rows, because it no longer knows its predictions.
 */
const streamSchema = z.strictObject({
  type: z.literal('stream'),
  epoch: z.string().check(z.maxLength(64)),
  from: lsnSchema,
  rowsTo: z.optional(lsnSchema),
})

/** Everything received so far: the count of frame characters on this socket, and the cursor that is durable. */
const ackSchema = z.strictObject({
  type: z.literal('ack'),
  received: z.int().check(z.nonnegative()),
  cursor: z.nullable(lsnSchema),
})

/** A fresh token for the same user. */
const tokenSchema = z.strictObject({ type: z.literal('token'), token: z.string().check(z.maxLength(8192)) })

/** The tables that this replica cannot hold; replaces any earlier list on this socket. */
const refusedSchema = z.strictObject({
  type: z.literal('refused'),
  tables: z.array(z.string().check(z.maxLength(200))).check(z.maxLength(100)),
})

/** The version of the definition that the replica's tables have by now; replaces what was said before. */
const schemaSchema = z.strictObject({
  type: z.literal('schema'),
  version: z.int(),
  /** Tables that wait to be loaded for it. */
  waiting: z.int().check(z.nonnegative()),
  /** Why it could not be made from the version before here, so that tables were loaded, or not be loaded; else null. */
  fault: z.nullable(z.string().check(z.maxLength(LIMITS.schemaFaultChars))),
  /** How often what failed was tried again in vain. */
  retries: z.int().check(z.nonnegative()),
})

/** What was written here and is not settled; replaces what was said before on this socket. */
const unsentSchema = z.strictObject({
  type: z.literal('unsent'),
  /** Mutations that have waited for more than a minute, and the age of the oldest by the device's clock; null: none has. */
  count: z.int().check(z.nonnegative()),
  oldestMs: z.nullable(z.int().check(z.nonnegative())),
  /** Mutations that failed and wait for the user. */
  failed: z.int().check(z.nonnegative()),
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
