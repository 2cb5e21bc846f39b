import { z } from 'zod'
import { mutationId, rejectionSchema } from '../../protocol/index.ts'
import { lsnSchema } from '../../protocol/lsn-schema.ts'
import type { Executor } from '../store/copies.ts'
import type { MutationRecord } from './mutation.ts'

export const imageSchema = z.record(z.string(), z.string().nullable())

const jsonText = <Schema extends z.ZodType>(schema: Schema) =>
  z.string().transform((text) => schema.parse(JSON.parse(text)) as z.output<Schema>)

const recordRowSchema = z.object({
  counter: z.coerce.number(),
  kind: z.enum(['patch', 'action']),
  name: z.string().nullable(),
  args: z.string().nullable(),
  at: z.string(),
  status: z.enum(['pending', 'sent', 'confirmed', 'failed']),
  effective: z.boolean(),
  rejection: jsonText(rejectionSchema).nullable(),
  lsn: lsnSchema.nullable(),
})

const writeRowSchema = z.object({
  counter: z.coerce.number(),
  table_id: z.string(),
  op: z.enum(['insert', 'update', 'delete']),
  before: jsonText(imageSchema).nullable(),
  after: jsonText(imageSchema).nullable(),
})

/** A mutation that was taken in ends as the one that took it in. */
const RECORDS = `
  SELECT m.counter, m.kind, m.name, m.args, m.at, h.status, h.effective, h.rejection, h.lsn
  FROM tidemark.mutation m JOIN tidemark.mutation h ON h.counter = coalesce(m.squashed_into, m.counter)`

const WRITES = `
  SELECT counter, table_id, op, before, after FROM tidemark.write
  WHERE counter = ANY ((SELECT array_agg(value::bigint) FROM json_array_elements_text($1::text::json))::bigint[])
  ORDER BY position`

/** Answers the name and arguments of an action; null for a patch. */
export const actionOf = ({ name, args }: { name: string | null; args: string | null }) =>
  name === null ? null : { name, args: args === null ? null : (JSON.parse(args) as unknown) }

/** Reads the newest mutations, newest first, or the one of this counter. */
export async function readMutations(
  db: Executor,
  client: string,
  wanted: { readonly limit: number } | { readonly counter: number },
): Promise<MutationRecord[]> {
  const { rows } = await ('counter' in wanted
    ? db.query(`${RECORDS} WHERE m.counter = $1`, [wanted.counter])
    : db.query(`${RECORDS} ORDER BY m.counter DESC LIMIT $1`, [wanted.limit]))
  const records = rows.map((row) => recordRowSchema.parse(row))
  const found = await db.query(WRITES, [JSON.stringify(records.map(({ counter }) => counter))])
  const writes = found.rows.map((row) => writeRowSchema.parse(row))
  return records.map(({ counter, kind, name, args, ...rest }) => ({
    ...rest,
    id: mutationId(client, counter),
    kind,
    action: actionOf({ name, args }),
    writes: writes
      .filter((write) => write.counter === counter)
      .map(({ table_id: table, op, before, after }) => ({ table, op, before, after })),
  }))
}
