import { type DefinitionVersion, migrationsAnswerSchema, TidemarkError } from '../../protocol/index.ts'
import type { FetchOptions } from './fetch-manifests.ts'

/** Asks for the versions after this one; null where the server has none, because the history is another. */
export async function fetchVersions(
  { http, signal }: Pick<FetchOptions, 'http' | 'signal'>,
  from: { readonly epoch: string; readonly version: number },
): Promise<readonly DefinitionVersion[] | null> {
  const path = `/sync/migrations?from=${from.version}`
  const answer = await http.json(path, signal).catch((error: unknown) => {
    if (error instanceof TidemarkError && error.kind === 'limit-exceeded') return null
    throw error
  })
  if (answer === null) return null
  const { data } = migrationsAnswerSchema.safeParse(answer)
  if (!data) throw new TidemarkError('corrupt', 'The server told of the schema what this client cannot read.')
  return data.epoch === from.epoch ? data.versions : null
}
