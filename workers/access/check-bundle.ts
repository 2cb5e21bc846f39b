import type { Query } from '../../db/index.ts'
import { type Bundles, bundleStanding, TidemarkError } from '../../protocol/index.ts'

/**
 * Throws `upgrade-required` for a page whose code is from before a breaking migration, and `unavailable` for one whose
 * last migration has not run yet: that one waits. Postgres is asked only where the definition in force cannot tell. MIG-R7.
 */
export async function checkBundle(
  migration: string | undefined,
  bundles: Bundles,
  withQuery: <Result>(ask: (query: Query) => Promise<Result>) => Promise<Result>,
): Promise<void> {
  refuseOutdated(migration, bundles)
  if (migration === undefined || bundleStanding(migration, bundles) === 'fits') return
  const [found] = await withQuery((query) =>
    query('SELECT name FROM tidemark.app_migration WHERE name = $1', [migration]),
  )
  if (found) return
  throw new TidemarkError(
    'unavailable',
    `This page was built over migration ${migration}, which has not run here yet; it goes on by itself once \`tidemark migrate\` has run it.`,
  )
}

/** Does the part of it for which Postgres is never asked. */
export function refuseOutdated(migration: string | undefined, bundles: Bundles): void {
  if (bundleStanding(migration, bundles) !== 'outdated') return
  throw new TidemarkError(
    'upgrade-required',
    `Migration ${bundles.oldest} changed what this page reads or writes: load the app anew. What it has not sent yet stays, and is sent then.`,
  )
}
