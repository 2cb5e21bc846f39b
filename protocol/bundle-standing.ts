import * as z from 'zod/mini'

/** The bundles that the definition in force is for; a bundle is a page's code, named by the last migration it knows. */
export const bundlesSchema = z.object({
  /** The last migration that broke with bundles before it; null: none has. */
  oldest: z.nullable(z.string()),
  /** The last migration that had run when the version came in force; null: none that Tidemark ran. */
  latest: z.nullable(z.string()),
})

export type Bundles = z.infer<typeof bundlesSchema>

export const NO_BUNDLES: Bundles = { oldest: null, latest: null }

/**
 * Judges a bundle: `outdated` where a migration that it does not know broke with it, `ahead` where the last one that it
 * knows may not have run. Migrations are in the order of their names; a bundle without a name fits always.
 */
export function bundleStanding(
  migration: string | undefined,
  { oldest, latest }: Bundles,
): 'fits' | 'outdated' | 'ahead' {
  if (migration === undefined) return 'fits'
  if (oldest !== null && migration < oldest) return 'outdated'
  return latest !== null && migration > latest ? 'ahead' : 'fits'
}
