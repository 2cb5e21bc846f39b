import { type DefinitionVersion, migrationsAnswerSchema, TidemarkError } from '../../protocol/index.ts'
import type { Copy } from '../store/copies.ts'
import type { FetchOptions } from './fetch-manifests.ts'

/** Asks for the versions after the copy's own; null where the server has none, because the history is another. */
export async function fetchVersions(
  { http, signal }: Pick<FetchOptions, 'http' | 'signal'>,
  live: Pick<Copy, 'definition' | 'epoch'>,
): Promise<readonly DefinitionVersion[] | null> {
  const path = `/sync/migrations?from=${live.definition.version}`
  const answer = await http.json(path, signal).catch((error: unknown) => {
    if (error instanceof TidemarkError && error.kind === 'limit-exceeded') return null
    throw error
  })
  if (answer === null) return null
  const { data } = migrationsAnswerSchema.safeParse(answer)
  if (!data) throw new TidemarkError('corrupt', 'The server told of the schema what this client cannot read.')
  return data.epoch === live.epoch ? data.versions : null
}
