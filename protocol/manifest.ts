import * as z from 'zod/mini'
import { definitionSchema } from './definition.ts'
import { lsnSchema } from './lsn-schema.ts'

const chunkSchema = z.object({
  /** SHA-256 of the gzipped bytes, hex: the chunk's address and its checksum. */
  id: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  rows: z.int().check(z.nonnegative()),
  /** Gzipped. */
  bytes: z.int().check(z.nonnegative()),
  rawBytes: z.int().check(z.nonnegative()),
})

const manifestTableSchema = z.object({
  /** Table id. */
  table: z.string(),
  /** Columns of each COPY line, in order. */
  columns: z.array(z.string()),
  rows: z.int().check(z.nonnegative()),
  bytes: z.int().check(z.nonnegative()),
  chunks: z.array(chunkSchema),
})

/**
 * The content of a snapshot of one audience, and how it joins the stream.
 *
 * Stream from `start`; in `(start, fence]`, and for this audience only, skip transactions that `snapshot` shows.
 */
export const manifestSchema = z.object({
  epoch: z.string(),
  audience: z.string(),
  definitionVersion: z.int(),
  definitionHash: z.string(),
  definition: definitionSchema,
  start: lsnSchema,
  fence: lsnSchema,
  /** `pg_current_snapshot()` of the reading transaction. */
  snapshot: z.string(),
  builtAt: z.string(),
  /** Tables in load order. */
  tables: z.array(manifestTableSchema),
})

export type Manifest = z.infer<typeof manifestSchema>
export type ManifestTable = z.infer<typeof manifestTableSchema>
export type ManifestChunk = z.infer<typeof chunkSchema>
