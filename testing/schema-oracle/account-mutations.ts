import type { SchemaWriter } from './schema-writer.ts'

export interface MutationAccount {
  readonly made: number
  readonly confirmed: number
  readonly failed: number
  /** The mutations that are neither confirmed nor failed with their data, one sentence each. */
  readonly violations: readonly string[]
}

/** Counts how the mutations of these writers ended, once all is settled; `note` is told why one failed. */
export async function accountMutations(
  writers: readonly SchemaWriter[],
  note: (text: string) => void,
): Promise<MutationAccount> {
  let [made, confirmed, failed] = [0, 0, 0]
  const violations: string[] = []
  for (const { replica, options, made: ids } of writers) {
    const { failures } = replica
    const statuses = new Map<string, string>((await replica.mutations()).map(({ id, status }) => [id, status]))
    for (const id of ids) {
      made += 1
      const status = statuses.get(id)
      if (status === 'confirmed') confirmed += 1
      else if (status === 'failed') {
        failed += 1
        const failure = failures.find((one) => one.id === id)
        if (!failure || failure.rows.length === 0)
          violations.push(`${options.name}: ${id} failed without its data: ${JSON.stringify(failure ?? null)}.`)
        else note(`${id} failed: ${failure.rejection.kind} ${failure.rejection.message}`)
      } else violations.push(`${options.name}: ${id} is ${status ?? 'not known any more'}.`)
    }
  }
  return { made, confirmed, failed, violations }
}
