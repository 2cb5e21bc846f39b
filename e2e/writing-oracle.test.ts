import { describe, expect, it } from 'vitest'
import { NEWER_BINARIES } from '../testing/postgres/global-setup.ts'
import { runWritingOracle } from '../testing/writing-oracle/run-writing-oracle.ts'

/** As in the reading oracle: one standing seed and `ORACLE_RUNS` fresh ones, or with `ORACLE_SEED` that one alone. */
const steps = Number(process.env.ORACLE_STEPS ?? 140)
const freshSeeds = Array.from({ length: Number(process.env.ORACLE_RUNS ?? 0) }, () =>
  Math.random().toString(36).slice(2, 10),
)
const seeds = process.env.ORACLE_SEED ? [process.env.ORACLE_SEED] : ['ebb-and-flow', ...freshSeeds]

const cases = seeds
  .flatMap((seed) => [
    { seed, decoder: 'pgoutput' as const },
    { seed, decoder: 'wal2json' as const },
  ])
  .filter(({ decoder }) => !process.env.ORACLE_DECODER || process.env.ORACLE_DECODER === decoder)
  .filter(({ decoder }) => decoder === 'pgoutput' || NEWER_BINARIES)

describe('replicas that write end as Postgres does, and lose nothing', () => {
  it.each(cases)(
    'ORA-01 OUT-02 OUT-04 OUT-05 REB-14 REB-16 CON-11 FLT-09 with seed $seed through $decoder',
    async ({ seed, decoder }) => {
      const report = await runWritingOracle({ seed, decoder, steps, faults: true })
      const found = `seed ${seed}, written down in ${report.chronicleFile}\n${report.violations.slice(0, 10).join('\n')}`
      expect(report.violations.length, found).toBe(0)
      // A run in which nothing happened proves nothing.
      expect(report.confirmed).toBeGreaterThan(steps / 5)
      expect(report.looks).toBeGreaterThan(5)
    },
  )
})
