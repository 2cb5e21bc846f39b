import type { Executor } from '../copies.ts'
import type { Place } from '../replica-table.ts'

/** Takes audiences from a copy, whose rows are gone from it. */
export async function deleteAudiences(tx: Executor, place: Place, audiences: readonly string[]): Promise<void> {
  await tx.query(
    'DELETE FROM tidemark.audience WHERE place = $1 AND audience IN (SELECT json_array_elements_text($2::text::json))',
    [place, JSON.stringify(audiences)],
  )
}

/** Forgets what was to be loaded, because it is. */
export async function forgetManifests(tx: Executor): Promise<void> {
  await tx.query('UPDATE tidemark.audience SET manifest = NULL')
}
