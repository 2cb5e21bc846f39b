import { mutationId } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { readRecords } from '../store/rows/record-rows.ts'
import { readWritesOf } from '../store/rows/write-rows.ts'
import type { MutationRecord } from './mutation.ts'

/** Answers the name and arguments of an action; null for a patch. */
export const actionOf = ({ name, args }: { name: string | null; args: string | null }) =>
  name === null ? null : { name, args: args === null ? null : (JSON.parse(args) as unknown) }

/** Reads the newest mutations, newest first, or the one of this counter. */
export async function readMutations(
  db: Executor,
  client: string,
  wanted: { readonly limit: number } | { readonly counter: number },
): Promise<MutationRecord[]> {
  const records = await readRecords(db, wanted)
  const writes = await readWritesOf(
    db,
    records.map(({ counter }) => counter),
  )
  return records.map(({ counter, kind, name, args, ...rest }) => ({
    ...rest,
    id: mutationId(client, counter),
    kind,
    action: actionOf({ name, args }),
    writes: writes
      .filter((write) => write.counter === counter)
      .map(({ table, op, before, after }) => ({ table, op, before, after })),
  }))
}
