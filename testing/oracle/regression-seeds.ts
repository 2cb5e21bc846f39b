/** Seeds that once found a fault, and what it was; each runs again on every check. */
export const REGRESSION_SEEDS: readonly {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly found: string
}[] = []
