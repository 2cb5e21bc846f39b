/** Seeds that once found a fault, with a description of it; each runs again on every check. */
export const REGRESSION_SEEDS: readonly {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
  readonly found: string
}[] = [
  {
    seed: 'x1795124',
    decoder: 'pgoutput',
    found: 'no fault of Tidemark: an eviction stopped the test, and the workload ran away from its replicas',
  },
]
