import { describe, expect, it } from 'vitest'
import { freshSeeds } from '../testing/oracle/oracle-cases.ts'
import { REGRESSION_SEEDS } from '../testing/oracle/regression-seeds.ts'
import { runOracle } from '../testing/oracle/run-oracle.ts'

/**
 * By default the seeds are the same every time, so that a failure comes from a change. `ORACLE_RUNS` adds as many fresh
 * seeds, `ORACLE_SEED` repeats one run alone; `ORACLE_STEPS` is the number of transactions.
 */
const transactions = Number(process.env.ORACLE_STEPS ?? 240)
const isStanding = !process.env.ORACLE_SEED
const seeds = isStanding ? freshSeeds() : [process.env.ORACLE_SEED ?? '']

const cases = [
  ...(isStanding ? REGRESSION_SEEDS.map(({ seed, decoder }) => ({ seed, decoder })) : []),
  // All regressions are of pgoutput, so wal2json has a seed of its own.
  ...(isStanding ? [{ seed: 'spring-tide', decoder: 'wal2json' as const }] : []),
  ...seeds.flatMap((seed) => [
    { seed, decoder: 'pgoutput' as const },
    { seed, decoder: 'wal2json' as const },
  ]),
].filter(({ decoder }) => !process.env.ORACLE_DECODER || process.env.ORACLE_DECODER === decoder)

describe('every replica is always a commit of Postgres', () => {
  it.each(cases)(
    'ORA-01 ORA-02 FLT-01 FLT-02 FLT-03 FLT-05 FLT-07 HIS-09 DIS-21 DIS-26 with seed $seed through $decoder',
    async ({ seed, decoder }) => {
      const report = await runOracle({ seed, decoder, transactions, faults: true })
      const found = `seed ${seed}, written down in ${report.protocolFile}\n${report.violations.slice(0, 10).join('\n')}`
      expect(report.violations.length, found).toBe(0)
      // A run that looked at nothing proves nothing.
      expect(report.distinctStates).toBeGreaterThan(20)
      expect(report.historyRows).toBeGreaterThan(transactions)
      expect(report).toMatchObject({ epochs: 2, definitions: 3 })
      expect(report.rightsChanges).toBeGreaterThan(2)
    },
  )
})
