import { NEWER_BINARIES } from '../postgres/global-setup.ts'

export interface OracleCase {
  readonly seed: string
  readonly decoder: 'pgoutput' | 'wal2json'
}

/** Makes seeds that nobody has run, as many as `ORACLE_RUNS` says. */
export const freshSeeds = (): string[] =>
  Array.from({ length: Number(process.env.ORACLE_RUNS ?? 0) }, () => Math.random().toString(36).slice(2, 10))

/**
 * Lists the runs of an oracle: the standing seed and fresh ones, or with `ORACLE_SEED` that one alone, through both
 * decoders or the one of `ORACLE_DECODER`.
 */
export function casesOf(standing: string): OracleCase[] {
  const seeds = process.env.ORACLE_SEED ? [process.env.ORACLE_SEED] : [standing, ...freshSeeds()]
  return seeds
    .flatMap((seed): OracleCase[] => [
      { seed, decoder: 'pgoutput' },
      { seed, decoder: 'wal2json' },
    ])
    .filter(({ decoder }) => !process.env.ORACLE_DECODER || process.env.ORACLE_DECODER === decoder)
    .filter(({ decoder }) => decoder === 'pgoutput' || NEWER_BINARIES)
}
